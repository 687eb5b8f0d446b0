"""From a budget to the sets of blocks that meet it: what each block saves, counted or timed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from ..config import Budget
from ..core.digests import check_recorded, write_recorded_json
from ..core.errors import InputError
from ..core.text_files import read_json
from ..core.validation import is_number
from ..costs.example_inputs import Inputs
from ..costs.latency import time_blocks
from ..costs.macs import count_blocks
from ..inserting.selection import blocks_of
from ..plan import Savings
from .feasible_sets import FeasibleSets, most_saved

_INF = float("inf")
_ROUNDING = 1e-9  # of the original's cost: rounding must not ask for another block


def feasible_sets_of(model: nn.Module, budget: Budget, inputs: Callable[[], Inputs]) -> FeasibleSets:
    """The sets of blocks that meet a budget on a model with adapters inserted.

    Savings are numbers of blocks, G multiply-accumulates or seconds, as the budget says. ``model`` is not changed.
    ``inputs`` gives those that costs are stated for; a number of blocks needs none.

    Raises:
        InputError: the budget needs every block, or cannot be met by skipping all of them.
    """
    count = len(blocks_of(model))
    if budget.num_skip is not None:
        return FeasibleSets.of_number(count, budget.num_skip)
    if budget.macs is not None:
        name, change, costs = "macs", budget.macs, count_blocks(model, inputs())
    else:
        name, change, costs = "latency", budget.latency or 0.0, time_blocks(model, inputs())
    savings = tuple(costs.savings.values())
    target = costs.adapted - (1 + change + _ROUNDING) * costs.original
    if most_saved(savings) < target:
        reached = (costs.adapted - most_saved(savings)) / costs.original - 1
        raise InputError(f"{name}: {change} cannot be met; skipping {count - 1} of {count} blocks gives {reached:+.3f}")
    return FeasibleSets(savings, target)


def timed_once(path: Path | None, model: nn.Module, budget: Budget, inputs: Callable[[], Inputs]) -> FeasibleSets:
    """:func:`feasible_sets_of`, with blocks timed once: a resumed search reads the timings from ``path``.

    Raises:
        InputError: the budget cannot be met, or ``path`` was edited or is of another search.
    """
    if budget.latency is None or path is None:
        return feasible_sets_of(model, budget, inputs)
    names = list(blocks_of(model))
    if not path.is_file():
        found = savings_of(feasible_sets_of(model, budget, inputs), names)
        write_recorded_json(path, {"budget": budget.to_dict(), **found.to_dict()})
    content = read_json(path)
    if not _is_timing(content, budget, names):
        raise InputError(f"{path}: not what was timed for this search; edited? Remove it to time the blocks again")
    check_recorded(path, "Remove it to time the blocks again.")
    return FeasibleSets(tuple(content["savings"].values()), content["target"])


def _is_timing(content: Any, budget: Budget, names: list[str]) -> bool:
    """Whether this was written for a search with this budget over these blocks."""
    if not isinstance(content, dict) or content.get("budget") != budget.to_dict():
        return False
    savings = content.get("savings")
    if not isinstance(savings, dict) or list(savings) != names:
        return False
    return all(is_number(value, -_INF) for value in (content.get("target"), *savings.values()))


def savings_of(feasible: FeasibleSets, names: Sequence[str]) -> Savings:
    """The budget's target, with the savings by block name."""
    return Savings(savings=dict(zip(names, feasible.savings, strict=True)), target=feasible.target)
