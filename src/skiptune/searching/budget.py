"""From a budget to the sets of blocks that meet it: what each block saves, counted or timed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from ..config import Budget, SearchConfig
from ..config.way import Way
from ..core.digests import check_recorded, write_recorded_json
from ..core.errors import InputError
from ..core.text_files import read_json
from ..core.validation import is_number
from ..costs.example_inputs import Inputs
from ..costs.generation import check_decode_steps
from ..costs.latency import time_blocks
from ..costs.macs import count_blocks
from ..costs.token_costs import TokenCosts, count_tokens, time_tokens
from ..inserting.selection import blocks_of
from ..plan import Savings
from .feasible_sets import FeasibleSets, most_saved
from .mixtures import Subnetworks
from .protected import refuse_unmet
from .token_pool import check_tokens, goal, mixtures_of, places_of

_INF = float("inf")
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
    target = costs.adapted - goal(costs.original, change)
    if most_saved(savings) < target:
        reached = (costs.adapted - most_saved(savings)) / costs.original - 1
        raise refuse_unmet(f"{name}: {change}", len(names), f"{reached:+.3f}", protected)
    return FeasibleSets(savings, target)


def subnetworks_of(
    model: nn.Module,
    budget: Budget,
    inputs: Callable[[], Inputs],
    config: SearchConfig,
    protected: Mapping[str, str] = NONE,
    path: Path | None = None,
) -> Subnetworks:
    """What a search chooses among: :func:`feasible_sets_of`, or mixtures with token schedules (``config.tokens``).

    Blocks are timed once: a resumed search reads the timings from ``path``.

    Raises:
        InputError: the budget cannot be met, says nothing about tokens, or the model's cannot become fewer; or ``path``
            was edited or is of another search.
    """
    if config.tokens is not None:
        check_tokens(model, budget)
        check_decode_steps(model, budget.decode_steps)
        return mixtures_of(_token_costs(path, model, budget, inputs, config.tokens), budget, config, protected)
    if budget.latency is None or path is None:
        return feasible_sets_of(model, budget, inputs, protected)
    names = list(blocks_of(model))
    if not path.is_file():
        found = savings_of(feasible_sets_of(model, budget, inputs, protected), names)
        write_recorded_json(path, {"budget": _recorded(budget), **found.to_dict()})
    content = read_json(path)
    if not _is_timing(content, budget, names):
        raise _not_timed(path)
    check_recorded(path, "Remove it to time the blocks again.")
    return FeasibleSets(_without(content["savings"], protected), content["target"])


def _token_costs(
    path: Path | None, model: nn.Module, budget: Budget, inputs: Callable[[], Inputs], way: Way
) -> TokenCosts:
    """Costs under schedules: counted, or timed once and kept in ``path``."""
    measure = time_tokens if budget.macs is None else count_tokens
    over = places_of(model)
    if budget.latency is None or path is None:
        return measure(model, inputs(), over, way, budget.steps)
    if not path.is_file():
        costs = measure(model, inputs(), over, way, budget.steps)
        write_recorded_json(path, {"budget": _recorded(budget), "tokens": costs.to_dict()})
    content = read_json(path)
    if not isinstance(content, dict) or content.get("budget") != _recorded(budget):
        raise _not_timed(path)
    found = TokenCosts.from_dict(content.get("tokens"), f"{path}: not what was timed for this search")
    timed = list(found.savings), found.places, tuple(found.frozen), found.way
    if timed != (list(blocks_of(model)), over.fewer, over.frozen, way):
        raise _not_timed(path)
    check_recorded(path, "Remove it to time the blocks again.")
    return found


def _not_timed(path: Path) -> InputError:
    return InputError(f"{path}: not what was timed for this search; edited? Remove it to time the blocks again")


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
