"""Train one method: choose its blocks, then train with the plan. Used by comparisons and by the baselines of a run."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from ..inserting.selection import choose
from ..plan import Plan
from ..training.fit import fit
from ..training.training_log import TrainingLog
from .method import Method, TrainingContext


@dataclass(frozen=True)
class TrainedMethod:
    """A trained model.

    Attributes:
        model: trained, with the plan's blocks still in it.
        plan: its skipped blocks and token schedule.
        log: of the training with the plan, without the search.
        steps: optimizer steps in all, those of the search included where they were kept.
    """

    model: nn.Module
    plan: Plan
    log: TrainingLog
    steps: int

    @property
    def seconds(self) -> float:
        """Wall time of search and training."""
        searched = None if self.plan.report is None else self.plan.report.seconds
        return self.log.seconds + (searched or 0.0)


def train_method(method: Method, model: nn.Module, context: TrainingContext) -> TrainedMethod:
    """Train ``model``, which ``method`` has prepared, in place.

    Raises:
        InputError: the budget cannot be met, or the search leaves no steps of the training.
        RunError: a loss is not finite.
    """
    plan = method.find_plan(model, context)
    done = plan.steps if context.start == "search" else 0
    log = TrainingLog(0.0, 0, ())
    if method.trains:
        with context.inside(model):
            log = fit(model, context.experiment, method.trained_with(plan), context.checkpoints, done)
    choose(model, plan)
    return TrainedMethod(model, plan, log, done + log.steps)
