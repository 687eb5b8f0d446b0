"""A token schedule that meets a budget, and no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeAlias

from ..core.errors import InputError
from ..plan import TokenSchedule

Cost: TypeAlias = Callable[[TokenSchedule | None], float]
#: Halvings of the interval that an exponent is looked for in.
_HALVINGS = 12
#: The largest exponent that is tried.
_STRONGEST = 8.0
#: A place at which a smaller share of the tokens goes is left out: reducing takes time too.
_LEAST = 0.02
#: How often an estimate is mended by a count; more often only as long as the budget is not met.
_COUNTS, _MOST_COUNTS = 2, 8


def just_met(tokens: TokenSchedule, cost: Cost, most: float) -> TokenSchedule | None:
    """The schedule with all of its shares raised, or lowered, by one exponent, so that ``cost`` just meets ``most``.

    ``None``: no schedule is needed.

    Raises:
        InputError: no exponent is large enough.
    """
    if cost(None) <= most:
        return None
    mild, strong = 0.0, 1.0
    while cost(raised(tokens, strong)) > most:
        mild, strong = strong, strong * 1.5
        if strong > _STRONGEST:
            raise InputError(
                f"{tokens}: fewer image tokens at these places cannot meet the budget; ask for less, or let blocks be "
                "skipped too"
            )
    for _ in range(_HALVINGS):
        middle = (mild + strong) / 2
        if cost(raised(tokens, middle)) > most:
            mild = middle
        else:
            strong = middle
    return raised(tokens, strong)


def counted_just_met(
    tokens: TokenSchedule, estimate: Cost, count: Cost, most: float, places: Sequence[str] = ()
) -> TokenSchedule | None:
    """:func:`just_met` for a cost that takes long to count: where it is estimated to be met it is counted, and what the
    estimate missed there is added to the next one.

    An estimate may say of a schedule that begins late that it meets what it does not, with whatever shares. Then the
    tokens become fewer one place earlier, or two, …

    Args:
        tokens: the schedule.
        estimate: of the cost.
        count: the cost.
        most: the largest that is allowed.
        places: the names of all places, in running order.

    Raises:
        InputError: no exponent is large enough, at no place.
    """
    *later, first = _earlier(tokens, places)
    for each in later:
        with suppress(InputError):
            return _counted_just_met(each, estimate, count, most)
    return _counted_just_met(first, estimate, count, most)


def _earlier(tokens: TokenSchedule, places: Sequence[str]) -> list[TokenSchedule]:
    """The schedule, then as it is one place earlier, two, …, up to the first place."""
    numbers = [places.index(name) for name in tokens.keep] if places else []
    moved = [
        {places[number - by]: share for number, share in zip(numbers, tokens.keep.values(), strict=True)}
        for by in range(1, 1 + min(numbers, default=0))
    ]
    return [tokens, *(tokens.replace(keep=keep) for keep in moved)]


def _counted_just_met(tokens: TokenSchedule, estimate: Cost, count: Cost, most: float) -> TokenSchedule | None:
    found, missed = dict[float, TokenSchedule | None](), 0.0
    for number in range(_MOST_COUNTS):
        now = just_met(tokens, estimate, most - missed)
        cost = count(now)
        if cost <= most:
            found[cost] = now
        if found and number + 1 >= _COUNTS:
            break
        missed = cost - estimate(now) + (number + 1 >= _COUNTS) * (cost - most)
    return found[max(found)] if found else just_met(tokens, count, most)


def raised(tokens: TokenSchedule, exponent: float) -> TokenSchedule | None:
    """The schedule with its shares to the power of ``exponent``; ``None``: nothing is left of it."""
    keep, before = dict[str, float](), 1.0
    for place, share in tokens.keep.items():
        now = round(share**exponent, 4)
        if 0 < now <= before - _LEAST:
            keep[place] = before = now
    return tokens.replace(keep=keep) if keep or tokens.frozen else None
