"""The order of a nested plan's blocks, and the losses of its beginnings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import nn

from ..experiment import Experiment
from ..plan import Nested, Plan
from .evaluator import Evaluator
from .feasible_sets import Candidate
from .held_out import HeldOut
from .strategies.removal import mean_losses

#: Largest number of held-out records that the losses are measured on.
_MEASURED = 1024


def nested_order(evaluator: Evaluator, chosen: Candidate, batches: int) -> Nested:
    """An order of the blocks of a plan, so that skipping fewer of them loses little.

    Greedy, from the plan backwards: of all sets with one block less, the one of lowest loss on some held-out batches.
    """
    left, last = list(chosen), list[int]()
    while len(left) > 1:
        sets = [tuple(block for block in left if block != other) for other in left]
        losses = mean_losses(evaluator, sets, range(batches))
        last.append(left.pop(losses.index(min(losses))))
    return Nested(order=tuple(evaluator.named((*left, *reversed(last)))))


def with_losses(evaluator: Evaluator, plan: Plan) -> Plan:
    """A nested plan with the held-out loss of every number of skipped blocks; others as they are."""
    report, nested = plan.report, plan.nested
    if report is None or nested is None:
        return plan
    places = [evaluator.names.index(name) for name in nested.order]
    sets = [tuple(sorted(places[:count])) for count in range(len(places) + 1)]
    losses = evaluator.losses_of_first(sets, _MEASURED)
    return replace(plan, report=report.replace(nested=nested.replace(losses=tuple(losses))))


def measured_plan(model: nn.Module, experiment: Experiment, plan: Plan, folder: Path) -> Plan:
    """:func:`with_losses` of a trained model on the validation records; ``folder`` is the training's."""
    if plan.nested is None:
        return plan
    held_out = HeldOut.of(model, experiment, folder)
    return with_losses(Evaluator(held_out, experiment.training.batch_size), plan)
