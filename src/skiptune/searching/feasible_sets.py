"""Which sets of blocks meet a budget, and the best of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np

from ..core.errors import InputError

#: Indices of the blocks that a subnetwork skips, in increasing order; after them, if it has a token schedule, the
#: number of blocks plus that of the schedule.
Candidate = tuple[int, ...]


def parted(candidate: Candidate, blocks: int) -> tuple[Candidate, int | None]:
    """The blocks that a candidate skips, and the number of its token schedule; ``None``: it has none.

    Args:
        candidate: of a model.
        blocks: how many that has.
    """
    if candidate and candidate[-1] >= blocks:
        return candidate[:-1], candidate[-1] - blocks
    return candidate, None


@dataclass(frozen=True)
class FeasibleSets:
    """The sets of blocks that meet a budget: those that save at least ``target``, with no superfluous block.

    A block is superfluous if the set still saves ``target`` without it. A block that saves nothing is in no set.

    Attributes:
        savings: of each block, in model order; 1.0 each for a number of blocks.
        target: to be reached by their sum; nothing is skipped if it is not positive.

    Raises:
        InputError: only skipping every block would reach the target, or not even that.
    """

    savings: tuple[float, ...]
    target: float

    def __post_init__(self) -> None:
        if self.most < self.target:
            raise InputError(f"a saving of {self.target:g} cannot be met; all blocks but one save {self.most:g}")

    @classmethod
    def of_number(cls, blocks: int, number: int) -> FeasibleSets:
        """Any ``number`` of ``blocks``.

        Raises:
            InputError: no block would be kept.
        """
        if not 0 <= number < blocks:
            raise InputError(f"num_skip: {number} of {blocks} blocks; at least one must be kept")
        return cls((1.0,) * blocks, float(number))

    @property
    def most(self) -> float:
        """The largest saving that keeps one block."""
        return most_saved(self.savings)

    @cached_property
    def number(self) -> int | None:
        """The number of blocks to skip if all that save something save the same, or nothing is to be skipped, else
        ``None``."""
        if self.target <= 0:
            return 0
        return self._fillings[0][0] if len(self._groups) == 1 else None

    @cached_property
    def useful(self) -> tuple[int, ...]:
        """The blocks that save something, in model order; only they are in sets."""
        return tuple(block for block, saving in enumerate(self.savings) if saving > 0)

    def met(self, chosen: Sequence[int]) -> bool:
        """Whether skipping the blocks ``chosen`` saves enough."""
        return math.fsum(self.savings[block] for block in chosen if self.savings[block] > 0) >= self.target

    def growing(self, step: int, steps: int) -> FeasibleSets:
        """The sets at ``step`` of ``steps`` in which the target grows from nothing; these sets then.

        Each saves more than ``step / steps`` of the target: of a number ``k`` of blocks ``⌊k · step / steps⌋ + 1``.
        """
        if step >= steps:
            return self
        return replace(self, target=min(self.target, math.nextafter(self.target * step / steps, math.inf)))

    def drawn(self, generator: np.random.Generator) -> Candidate:
        """Blocks in random order, until there are enough of them."""
        return self.fill(generator.permutation(len(self.savings)).tolist())

    def evenly(self, generator: np.random.Generator) -> Iterator[Candidate]:
        """Sets that use all blocks equally often: a random order is cut into sets until it is used up."""
        while True:
            order = [int(block) for block in generator.permutation(len(self.savings))]
            while self.met(order):
                candidate = self.fill(order)
                yield candidate
                order = [block for block in order if block not in candidate]

    def neighbours(self, candidate: Candidate, liked: Sequence[float]) -> Iterator[Candidate]:
        """The sets that differ from this one in a single exchange."""
        for out in candidate:
            for into in set(self.useful) - set(candidate):
                yield self.fill([into, *(block for block in candidate if block != out), out])

    def every(self, most: int) -> list[Candidate] | None:
        """All sets, if their blocks save the same and there are no more than ``most``."""
        if self.number is None or self.count() > most:
            return None
        return list(combinations(self.useful, self.number))

    @property
    def only(self) -> Candidate | None:
        """The set that nothing is to be chosen about: the empty one, where nothing is to be skipped."""
        return () if self.number == 0 else None

    def fill(self, order: Sequence[int]) -> Candidate:
        """Take blocks in this order until the target is met, then drop superfluous ones; returns them in increasing
        order.

        Superfluous blocks are dropped from the end of ``order``, which starts with the blocks most wanted.
        """
        chosen: list[int] = []
        for block in order:
            if self.met(chosen):
                break
            if self.savings[block] > 0:
                chosen.append(block)
        for block in reversed(chosen.copy()):
            rest = [other for other in chosen if other != block]
            if self.met(rest):
                chosen = rest
        return tuple(sorted(chosen))

    def best(self, loss_increases: Sequence[float]) -> Candidate:
        """The set with the smallest sum of loss increases, in increasing order; exact. Ties: fewer blocks, then lower
        numbers.

        Args:
            loss_increases: by how much skipping each block raises the loss. Sets differ in size, so zero must mean
                that skipping the block costs nothing; a constant added to all would favour the sets of fewest blocks.
                They may be negative, for blocks that do harm: sets still have no superfluous block.
        """
        if self.number is not None:
            order = sorted(self.useful, key=lambda block: (loss_increases[block], block))
            return tuple(sorted(order[: self.number]))
        groups = [sorted(group, key=lambda block: (loss_increases[block], block)) for group in self._groups]
        candidates = (
            tuple(sorted(block for group, count in zip(groups, filling, strict=True) for block in group[:count]))
            for filling in self._fillings
        )
        return min(
            candidates, key=lambda chosen: (math.fsum(loss_increases[block] for block in chosen), len(chosen), chosen)
        )

    def count(self) -> int:
        """The number of distinct sets."""
        found, sums, ways = 0.0, np.zeros(1), np.ones(1)
        if self.target <= 0:
            return 1
        for group in self._groups:  # from large savings down, a set is met by its last block
            open_sums, open_ways = [sums], [ways]
            for count in range(1, len(group) + 1):
                before, now = (sums + taken * self.savings[group[0]] >= self.target for taken in (count - 1, count))
                more = ways * math.comb(len(group), count)
                found += float(more[now & ~before].sum())
                open_sums.append((sums + count * self.savings[group[0]])[~now])
                open_ways.append(more[~now])
            sums, ways = np.concatenate(open_sums), np.concatenate(open_ways)
        return round(found)

    @cached_property
    def _groups(self) -> list[list[int]]:
        """Blocks that save the same, from the largest saving down."""
        sizes = sorted({saving for saving in self.savings if saving > 0}, reverse=True)
        return [[block for block, saving in enumerate(self.savings) if saving == size] for size in sizes]

    @cached_property
    def _fillings(self) -> list[tuple[int, ...]]:
        """Every way to meet the target by a number of blocks of each group: few, as a model has few kinds of block.

        Going from large savings to small ones, a set has no superfluous block if its last block was needed.
        """

        def extend(counts: tuple[int, ...], chosen: list[int]) -> Iterator[tuple[int, ...]]:
            if self.met(chosen):
                yield counts + (0,) * (len(self._groups) - len(counts))
            elif len(counts) < len(self._groups):
                group = self._groups[len(counts)]
                for count in range(len(group) + 1):
                    taken = chosen + group[:count]
                    yield from extend((*counts, count), taken)
                    if self.met(taken):
                        break

        return list(extend((), []))


def most_saved(savings: Sequence[float]) -> float:
    """The largest saving that keeps one block."""
    useful = [saving for saving in savings if saving > 0]
    spared = min(useful) if len(useful) == len(savings) else 0.0
    return math.fsum(useful) - spared
