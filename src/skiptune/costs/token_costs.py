"""Costs of a model for any schedule of its image tokens, from a few schedules that were counted or timed.

What a block costs is a quadratic function of its tokens: linear layers take what is proportional to them, attention
what is proportional to their square. So three schedules tell what any costs; a fourth with another share at every
place tells which of the places a block comes after. What is outside of blocks, and what the reductions themselves take,
is about the same function of the mean share, and something for every reduction after the first. What a layer costs that
image tokens pass unchanged is read likewise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from ..config.way import Way
from ..core.validated import Count, Number, Several, Validated
from ..inserting.selection import blocks_of
from ..layers.token_pooling import Grid
from ..layers.token_reduction import TokenReduction, Tokens
from ..plan import TokenSchedule
from .block_costs import BlockCosts, bench_copy, passes_of
from .example_inputs import Inputs
from .latency import time_blocks
from .macs import count_blocks, counted

#: Shares of the image tokens, from the first place on, that costs are read at.
_SHARES = (1.0, 0.5, 0.1)
#: Share at the last place of the schedule that becomes smaller at every place.
_LAST = 0.2
#: Seconds that timing one of the schedules takes.
_SECONDS = 15.0

_Array = NDArray[np.float64]


class Places(NamedTuple):
    """What schedules may name.

    Attributes:
        fewer: blocks before which image tokens can become fewer, in running order.
        frozen: layers that they can pass unchanged.
    """

    fewer: tuple[str, ...]
    frozen: tuple[str, ...] = ()


class TokenCosts(Validated):
    """Costs of a model's blocks under any schedule over some places, G multiply-accumulates or seconds.

    Attributes:
        places: names of the blocks before which image tokens can become fewer, in running order.
        way: how they do.
        original: cost of the model without adapters.
        savings: of each block by name: what skipping it saves where all of the image tokens, half and a tenth of them
            go on from the first place on.
        rest: cost with every block skipped, likewise.
        after: of each block by name, how many of the places it comes after.
        again: cost of each reduction after the first.
        frozen: of each layer that image tokens can pass unchanged, ``savings`` where they do; empty: there is none.
        grid: rows and columns of the image's tokens, where they are pooled; ``None``: they become fewer in other ways.
    """

    places: Several[str]
    way: Way
    original: Number
    savings: dict[str, Several[Number]]
    rest: Several[Number]
    after: dict[str, int]
    again: Number
    frozen: dict[str, Several[Number]] = Field(default={})
    grid: Several[Count] | None = None

    def at(self, tokens: TokenSchedule | None) -> BlockCosts:
        """The costs with a schedule over these places."""
        shares = self.shares(tokens)
        read = np.array([(1.0, *shares)[place] for place in self.after.values()])
        weights = self.weights(read)
        frozen = () if tokens is None else tokens.frozen
        table = [self.frozen[name] if name in frozen else saved for name, saved in self.savings.items()]
        savings = (weights * np.array(table)).sum(1)
        rest = float(self.weights(np.array([self._mean(read)]))[0] @ np.array(self.rest))
        rest += self.later(tokens) * self.again
        by_name = dict(zip(self.savings, savings.tolist(), strict=True))
        return BlockCosts(self.original, rest + float(savings.sum()), by_name)

    def shares(self, tokens: TokenSchedule | None) -> tuple[float, ...]:
        """The share of the image tokens that goes on from each place on."""
        found, share = [], 1.0
        for place in self.places:
            share = share if tokens is None else tokens.keep.get(place, share)
            found.append(self.left(share))
        return tuple(found)

    def later(self, tokens: TokenSchedule | None) -> int:
        """How often tokens become fewer after the first time."""
        return max(0, len({*self.shares(tokens)} - {1.0}) - 1)

    def left(self, share: float) -> float:
        """The share of the image tokens that goes on where this one is asked for."""
        return share if self.grid is None else Grid(*self.grid).share(share).tokens / Grid(*self.grid).tokens

    def weights(self, shares: _Array) -> _Array:
        """``(shares, 3)``: how a quadratic function's values at :data:`_SHARES` add up to that at other shares."""
        known, found = [self.left(share) for share in _SHARES], np.ones((len(shares), len(_SHARES)))
        for number, own in enumerate(known):
            if own in known[:number]:  # of an image with one or two tokens, which was read there already
                found[:, number] = 0.0
            for other in {*known} - {own}:
                found[:, number] *= (shares - other) / (own - other)
        return found

    def _mean(self, read: _Array) -> float:
        """The mean share of the blocks that come after a place."""
        reached = [share for share, place in zip(read, self.after.values(), strict=True) if place]
        return float(np.mean(reached)) if reached else 1.0


def count_tokens(model: nn.Module, inputs: Inputs, over: Places, way: Way, decode_steps: int = 0) -> TokenCosts:
    """Multiply-accumulates in G; see :func:`.macs.count_blocks` for what is counted, and the arguments.

    Raises:
        InputError: no adapters are inserted, or a block was removed.
    """
    count = partial(count_blocks, model, inputs, decode_steps)
    found = [count(tokens) for tokens in _probes(over, way)]
    return _token_costs(over, way, found, found, _grid(model, inputs, over, way), count)


def time_tokens(model: nn.Module, inputs: Inputs, over: Places, way: Way, decode_steps: int = 0) -> TokenCosts:
    """Seconds; see :func:`.latency.time_blocks`. Those of each schedule are put in relation to the model without
    adapters as timed beside it, because the speed of machines drifts.

    Raises:
        InputError: no adapters are inserted, or a block was removed.
    """
    count = partial(count_blocks, model, inputs, decode_steps)
    probes = _probes(over, way)
    operations = [count(tokens) for tokens in probes]
    timed = [
        time_blocks(model, inputs, seconds=_SECONDS, decode_steps=decode_steps, tokens=tokens) for tokens in probes
    ]
    costs = [one.in_unit(one.original / timed[0].original) for one in timed]
    return _token_costs(over, way, operations, costs, _grid(model, inputs, over, way), count)


def _probes(over: Places, way: Way) -> list[TokenSchedule | None]:
    """What costs are read for: the shares from the first place on; one schedule that uses every place; and those shares
    again where image tokens pass all layers unchanged that they can."""
    first = [{} if share == 1 else {over.fewer[0]: share} for share in _SHARES]
    frozen = [TokenSchedule(keep=keep, way=way, frozen=over.frozen) for keep in first if over.frozen]
    return [*(TokenSchedule(keep=keep, way=way) if keep else None for keep in first), _every_place(over, way), *frozen]


def _every_place(over: Places, way: Way) -> TokenSchedule:
    return TokenSchedule(keep=dict(zip(over.fewer, _falling(len(over.fewer)), strict=True)), way=way)


def _falling(places: int) -> tuple[float, ...]:
    """Another share at every place."""
    return tuple(1 - (1 - _LAST) * (number + 1) / places for number in range(places))


def _token_costs(
    over: Places,
    way: Way,
    operations: Sequence[BlockCosts],
    costs: Sequence[BlockCosts],
    grid: Grid | None,
    count: Callable[[TokenSchedule], BlockCosts],
) -> TokenCosts:
    """From the costs of :func:`_probes`; operations, and those that ``count`` gives for others, tell which places a
    block comes after."""
    read, every_place = len(_SHARES), _every_place(over, way)
    first, every, frozen = costs[:read], costs[read], costs[read + 1 :]
    found = TokenCosts(
        places=over.fewer,
        way=way,
        original=costs[0].original,
        savings={name: tuple(one.savings[name] for one in first) for name in every.savings},
        rest=tuple(one.with_skipped(one.savings) for one in first),
        after=dict.fromkeys(every.savings, 0),
        again=0.0,
        frozen={name: tuple(one.savings[name] for one in frozen) for name in over.frozen},
        grid=grid,
    )
    found = found.replace(after=_after(found, operations, every_place, count))
    missing = every.with_skipped(found.after) - found.at(every_place).with_skipped(found.after)
    return found.replace(again=max(0.0, missing / max(1, found.later(every_place))))


def _after(
    costs: TokenCosts,
    operations: Sequence[BlockCosts],
    every_place: TokenSchedule,
    count: Callable[[TokenSchedule], BlockCosts],
) -> dict[str, int]:
    """Of each block, after how many of the places it comes: told by what it costs under schedules that use some of the
    places in turn, as many as there are shares which leave different numbers of tokens."""
    *first, every = operations[: len(_SHARES) + 1]
    shares = {costs.left(share): share for share in reversed(_falling(len(costs.places))) if costs.left(share) < 1}
    falling, after = [shares[left] for left in sorted(shares, reverse=True)], dict.fromkeys(every.savings, 0)
    for start in range(0, len(costs.places), len(falling)) if falling else ():
        keep = dict(zip(costs.places[start:], falling, strict=False))
        tokens = TokenSchedule(keep=keep, way=costs.way)
        saved = (every if tokens == every_place else count(tokens)).savings
        weights = costs.weights(np.array([1.0, *map(costs.left, keep.values())]))
        for name in after:
            expected = weights @ np.array([one.savings[name] for one in first])
            after[name] += int(np.abs(expected - saved[name]).argmin())
    return after


def _grid(model: nn.Module, inputs: Inputs, over: Places, way: Way) -> Grid | None:
    """The grid of an image's tokens where they are pooled: of several images that of the first, of none one token."""
    if way != "pool":
        return None
    bench, looked = bench_copy(model), _Looked(1.0, way, None)
    blocks_of(bench)[over.fewer[0]].reduction = looked
    with counted():
        passes_of(bench, decodes=False)[0](**inputs)
    return next(iter(looked.grids), Grid(1, 1))


@dataclass(frozen=True)
class _Looked(TokenReduction):
    """Keeps the grids of the images that pass, and all of their tokens."""

    grids: list[Grid] = field(default_factory=list)

    def __call__(self, tokens: Tokens) -> Tokens:
        self.grids.append(Grid.of(tokens.whole, tokens.columns))
        return tokens
