"""From a budget to the sets of blocks that meet it: what each block saves, counted or timed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from ..config import Budget
from ..core.digests import check_recorded, write_recorded_json
from ..core.errors import InputError
from ..core.text_files import read_json
from ..core.validation import is_number
from ..costs.example_inputs import Inputs
from ..costs.generation import check_decode_steps
from ..costs.latency import time_blocks
from ..costs.macs import count_blocks
from ..inserting.selection import blocks_of
from ..plan import Savings
from .feasible_sets import FeasibleSets, most_saved
from .protected import refuse_unmet

_INF = float("inf")
_ROUNDING = 1e-9  # of the original's cost: rounding must not ask for another block
#: No protected blocks.
NONE: Mapping[str, str] = {}


def feasible_sets_of(
    model: nn.Module, budget: Budget, inputs: Callable[[], Inputs], protected: Mapping[str, str] = NONE
) -> FeasibleSets:
    """The sets of blocks that meet a budget on a model with adapters inserted.

    Savings are numbers of blocks, G multiply-accumulates or seconds, as the budget says. ``model`` is not changed.
    ``inputs`` gives those that costs are stated for; a number of blocks needs none. Blocks of ``protected``
    (:func:`.protected.protected_blocks`) save nothing, so that they are in no set.

    Raises:
        InputError: the budget needs every block, cannot be met by skipping all of them, or all but the protected, or
            has decode steps of a model that generates no text.
    """
    check_decode_steps(model, budget.decode_steps)
    names = list(blocks_of(model))
    if budget.num_skip is not None:
        if not protected:
            return FeasibleSets.of_number(len(names), budget.num_skip)
        free = len(names) - len(protected)
        if budget.num_skip > free:
            raise refuse_unmet(f"num_skip: {budget.num_skip}", len(names), str(free), protected)
        return FeasibleSets(tuple(float(name not in protected) for name in names), float(budget.num_skip))
    if budget.macs is not None:
        name, change, costs = "macs", budget.macs, count_blocks(model, inputs(), budget.steps)
    else:
        name, change = "latency", budget.latency or 0.0
        costs = time_blocks(model, inputs(), decode_steps=budget.steps)
    savings = _without(costs.savings, protected)
    target = costs.adapted - (1 + change + _ROUNDING) * costs.original
    if most_saved(savings) < target:
        reached = (costs.adapted - most_saved(savings)) / costs.original - 1
        raise refuse_unmet(f"{name}: {change}", len(names), f"{reached:+.3f}", protected)
    return FeasibleSets(savings, target)


def timed_once(
    path: Path | None,
    model: nn.Module,
    budget: Budget,
    inputs: Callable[[], Inputs],
    protected: Mapping[str, str] = NONE,
) -> FeasibleSets:
    """:func:`feasible_sets_of`, with blocks timed once: a resumed search reads the timings from ``path``.

    Raises:
        InputError: the budget cannot be met, or ``path`` was edited or is of another search.
    """
    if budget.latency is None or path is None:
        return feasible_sets_of(model, budget, inputs, protected)
    names = list(blocks_of(model))
    if not path.is_file():
        found = savings_of(feasible_sets_of(model, budget, inputs, protected), names)
        write_recorded_json(path, {"budget": _recorded(budget), **found.to_dict()})
    content = read_json(path)
    if not _is_timing(content, budget, names):
        raise InputError(f"{path}: not what was timed for this search; edited? Remove it to time the blocks again")
    check_recorded(path, "Remove it to time the blocks again.")
    return FeasibleSets(_without(content["savings"], protected), content["target"])


def _without(savings: Mapping[str, float], protected: Mapping[str, str]) -> tuple[float, ...]:
    return tuple(0.0 if name in protected else saved for name, saved in savings.items())


def _is_timing(content: Any, budget: Budget, names: list[str]) -> bool:
    """Whether this was written for a search with this budget over these blocks."""
    if not isinstance(content, dict) or content.get("budget") != _recorded(budget):
        return False
    savings = content.get("savings")
    if not isinstance(savings, dict) or list(savings) != names:
        return False
    return all(is_number(value, -_INF) for value in (content.get("target"), *savings.values()))


def _recorded(budget: Budget) -> dict[str, Any]:
    """A budget as the file has it: versions up to 0.3 knew no decode steps."""
    found = budget.to_dict()
    return {name: value for name, value in found.items() if name != "decode_steps" or value is not None}


def savings_of(feasible: FeasibleSets, names: Sequence[str]) -> Savings:
    """The budget's target, with the savings by block name."""
    return Savings(savings=dict(zip(names, feasible.savings, strict=True)), target=feasible.target)
