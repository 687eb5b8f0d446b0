"""The token schedules that a search chooses among."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement

from torch import nn

from ..config import Budget, SearchConfig
from ..config.way import Way
from ..core.errors import InputError
from ..core.validation import Problems
from ..costs.token_costs import Places, TokenCosts
from ..inserting.selection import frozen_places, token_places
from ..plan import TokenSchedule
from .feasible_sets import FeasibleSets, most_saved
from .just_met import just_met
from .mixtures import Mixtures
from .protected import refuse_unmet

#: Places at which image tokens become fewer, at equal distances over the image's way.
_PLACES = 4
#: Shares of the image tokens that go on.
_SHARES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.15)
#: The same factor at every place; how large it is follows from the budget.
_FACTOR = 0.5
ROUNDING = 1e-9  # of the original's cost: rounding must not ask for another block


def check_tokens(model: nn.Module, budget: Budget) -> None:
    """Refuse a budget or a model that knows no tokens.

    Raises:
        InputError: all problems in one message.
    """
    problems = Problems("search.tokens")
    problems.check(
        budget.num_skip is None,
        f"num_skip: {budget.num_skip}: a number of blocks says nothing about tokens; give a budget of macs or latency",
    )
    problems.check(
        bool(token_places(model)),
        f"{type(model).__name__}: its image tokens cannot become fewer; leave search.tokens out",
    )
    problems.raise_any()


def places_of(model: nn.Module) -> Places:
    """The blocks before which the schedules of a search let image tokens become fewer, and the layers from one of which
    on they let them pass unchanged."""
    places = token_places(model)
    fewer = dict.fromkeys(places[len(places) * number // _PLACES] for number in range(_PLACES))
    return Places(tuple(fewer), frozen_places(model))


def mixtures_of(costs: TokenCosts, budget: Budget, config: SearchConfig, protected: Mapping[str, str]) -> Mixtures:
    """The mixtures that meet a budget.

    Args:
        costs: of the model's blocks under schedules.
        budget: of operations or time.
        config: says how tokens become fewer, and what is mixed.
        protected: blocks that must be kept: name → why.

    Raises:
        InputError: no mixture meets it.
    """
    name, change = ("latency", budget.latency or 0.0) if budget.macs is None else ("macs", budget.macs)
    alone = config.mixture != "both"
    kept = dict.fromkeys(costs.savings, "tokens alone") if alone else protected
    pool = [_uniform(costs, change)] if config.mixture == "uniform" else [None, *_schedules(costs)]
    found = [(tokens, _sets(costs, tokens, change, kept)) for tokens in pool]
    met = [(tokens, sets) for tokens, sets in found if sets is not None]
    if not met:
        raise _unmet(f"{name}: {change}", costs, pool, kept, alone)
    useful = _useful(costs, met)
    plain = next((sets for tokens, sets in useful if tokens is None), None)
    reduced = [(tokens, sets) for tokens, sets in useful if tokens is not None]
    return Mixtures(
        blocks=len(costs.savings),
        plain=plain,
        schedules=tuple(_raised(costs, tokens, sets, change) for tokens, sets in reduced),
        sets=tuple(sets for _, sets in reduced),
        costs=costs,
    )


def _schedules(costs: TokenCosts) -> list[TokenSchedule]:
    """All schedules of falling shares, from mild to strong; then those that pass the layers from a later place on
    unchanged, too."""
    every = list(combinations_with_replacement(_SHARES, len(costs.places)))
    found = [schedule_of(costs.places, shares, costs.way) for shares in every if shares[-1] < 1]
    names = list(costs.frozen)
    for place in reversed([place for place in costs.places[1:] if place in costs.frozen]):
        frozen = tuple(names[names.index(place) :])
        found += [schedule_of(costs.places, shares, costs.way, frozen) for shares in every]
    return found


def schedule_of(
    places: Sequence[str], shares: Sequence[float], way: Way, frozen: tuple[str, ...] = ()
) -> TokenSchedule:
    """From the share that goes on from each place on, and the layers that image tokens pass unchanged."""
    before = (1.0, *shares[:-1])
    keep = {place: share for place, share, last in zip(places, shares, before, strict=True) if share < last}
    return TokenSchedule(keep=keep, way=way, frozen=frozen)


def _raised(costs: TokenCosts, tokens: TokenSchedule, sets: FeasibleSets, change: float) -> TokenSchedule:
    """A schedule that meets the budget by itself lets as many tokens go on as it can."""
    if sets.target > 0:
        return tokens
    return just_met(tokens, lambda other: costs.at(other).adapted, goal(costs.original, change)) or tokens


def _uniform(costs: TokenCosts, change: float) -> TokenSchedule | None:
    """The same factor at every place, as large as the budget allows."""
    shares = [_FACTOR ** (number + 1) for number in range(len(costs.places))]
    tokens = schedule_of(costs.places, shares, costs.way)
    return just_met(tokens, lambda other: costs.at(other).adapted, goal(costs.original, change))


def goal(original: float, change: float) -> float:
    """The largest cost that a budget allows."""
    return (1 + change + ROUNDING) * original


def _sets(
    costs: TokenCosts, tokens: TokenSchedule | None, change: float, kept: Mapping[str, str]
) -> FeasibleSets | None:
    """The sets of blocks that meet the budget with a schedule; ``None``: no set does."""
    found = costs.at(tokens)
    savings = tuple(0.0 if name in kept else saved for name, saved in found.savings.items())
    target = found.adapted - goal(costs.original, change)
    return FeasibleSets(savings, target) if most_saved(savings) >= target else None


def _unmet(
    budget: str, costs: TokenCosts, pool: Sequence[TokenSchedule | None], kept: Mapping[str, str], alone: bool
) -> InputError:
    """The error for a budget that cannot be met, with what the cheapest mixture reaches."""
    least, tokens = min(((_least(costs, tokens, kept), tokens) for tokens in pool), key=lambda one: one[0])
    reached, share = f"{least / costs.original - 1:+.3f}", costs.shares(tokens)[-1]
    if alone:
        return InputError(
            f"{budget} cannot be met by fewer image tokens alone; {share:.0%} of them give {reached}. Ask for less, or "
            "leave search.mixture out"
        )
    return refuse_unmet(budget, len(costs.savings), f"{reached}, with {share:.0%} of the image tokens", kept)


def _least(costs: TokenCosts, tokens: TokenSchedule | None, kept: Mapping[str, str]) -> float:
    """The cost with a schedule and as many blocks skipped as can be."""
    found = costs.at(tokens)
    return found.adapted - most_saved([0.0 if name in kept else saved for name, saved in found.savings.items()])


def _useful(
    costs: TokenCosts, met: Sequence[tuple[TokenSchedule | None, FeasibleSets]]
) -> list[tuple[TokenSchedule | None, FeasibleSets]]:
    """Those without which fewer blocks would not do: no milder schedule needs as few."""
    needed = [_needed(sets) for _, sets in met]
    return [
        one
        for number, one in enumerate(met)
        if not any(
            other != number and needed[other] <= needed[number] and _milder(costs, met[other][0], one[0])
            for other in range(len(met))
        )
    ]


def _milder(costs: TokenCosts, tokens: TokenSchedule | None, other: TokenSchedule | None) -> bool:
    """Whether at least as many tokens go on everywhere, and through as many layers."""
    frozen, theirs = (() if one is None else one.frozen for one in (tokens, other))
    pairs = zip(costs.shares(tokens), costs.shares(other), strict=True)
    return len(frozen) <= len(theirs) and all(own >= share for own, share in pairs)


def _needed(sets: FeasibleSets) -> int:
    """How many blocks a set has where they save what blocks save in the mean."""
    if sets.target <= 0:
        return 0
    useful = [sets.savings[block] for block in sets.useful]
    return math.ceil(sets.target * len(useful) / math.fsum(useful))
