"""Which mixtures of skipped blocks and a token schedule meet a budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..costs.token_costs import TokenCosts
from ..plan import TokenSchedule
from .feasible_sets import Candidate, FeasibleSets, parted


@dataclass(frozen=True)
class Mixtures:
    """The mixtures that meet a budget: a token schedule, or none, and a set of blocks that saves what is left to save.

    A candidate has the numbers of the blocks it skips and, if it has a schedule, ``blocks`` plus the number of that.
    It offers what :class:`FeasibleSets` does.

    Attributes:
        blocks: how many the model has.
        plain: the sets that meet the budget without a schedule; ``None``: no set does.
        schedules: the token schedules.
        sets: the sets of blocks that meet the budget with each of them.
        costs: of blocks under schedules, from which all this follows.
    """

    blocks: int
    plain: FeasibleSets | None
    schedules: tuple[TokenSchedule, ...]
    sets: tuple[FeasibleSets, ...]
    costs: TokenCosts

    @cached_property
    def parts(self) -> list[tuple[Candidate, FeasibleSets]]:
        """The end of a candidate, with its schedule, and the sets it can begin with."""
        found: list[tuple[Candidate, FeasibleSets]] = [] if self.plain is None else [((), self.plain)]
        return found + [((self.blocks + number,), sets) for number, sets in enumerate(self.sets)]

    @cached_property
    def coordinates(self) -> NDArray[np.float64]:
        """How often the number of image tokens has halved at each place, and, where they can pass layers unchanged, how
        many of as many parts of the layers they pass so: ``(schedules, places or places + 1)``."""
        places = len(self.costs.places)
        shares = np.array([self.costs.shares(tokens) for tokens in self.schedules])
        halved: NDArray[np.float64] = -np.log2(shares.reshape(len(self.schedules), places))
        if not self.costs.frozen:
            return halved
        frozen = [[places * len(tokens.frozen) / len(self.costs.frozen)] for tokens in self.schedules]
        return np.concatenate((halved, np.reshape(frozen, (len(self.schedules), 1))), axis=1)

    @property
    def only(self) -> Candidate | None:
        """The candidate that nothing is to be chosen about: if no other meets the budget, or nothing is to be saved."""
        if self.plain is not None and self.plain.only is not None:
            return ()
        sets = self.sets[0].only if len(self.parts) == 1 and self.sets else None
        return None if sets is None else (*sets, self.blocks)

    def sets_of(self, candidate: Candidate) -> FeasibleSets:
        """The sets that meet the budget with its schedule."""
        return dict(self.parts)[self._end(candidate)]

    def count(self) -> int:
        """The number of distinct candidates."""
        return sum(sets.count() for _, sets in self.parts)

    def every(self, most: int) -> list[Candidate] | None:
        """``None``: they are too many or too different."""
        return None

    def drawn(self, generator: np.random.Generator) -> Candidate:
        """A schedule at random, and blocks in random order until there are enough of them."""
        end, sets = self.parts[int(generator.integers(len(self.parts)))]
        return (*sets.drawn(generator), *end)

    def evenly(self, generator: np.random.Generator) -> Iterator[Candidate]:
        """Candidates that use all schedules and all blocks about equally often."""
        order: list[int] = []
        while True:
            for number in generator.permutation(len(self.parts)):
                end, sets = self.parts[int(number)]
                if not sets.met(order):
                    order = [int(block) for block in generator.permutation(self.blocks)]
                chosen = sets.fill(order)
                order = [block for block in order if block not in chosen]
                yield (*chosen, *end)

    def neighbours(self, candidate: Candidate, liked: Sequence[float]) -> Iterator[Candidate]:
        """Those that differ in a single exchange of blocks; and with every other schedule the blocks that are most
        ``liked``, first of them those of this one."""
        end = self._end(candidate)
        blocks = candidate[: len(candidate) - len(end)]
        for chosen in self.sets_of(candidate).neighbours(blocks, liked):
            yield (*chosen, *end)
        others = [block for block in range(self.blocks) if block not in blocks]
        order = [block for group in (blocks, others) for block in sorted(group, key=lambda block: -liked[block])]
        for other, sets in self.parts:
            if other != end:
                yield (*sets.fill(order), *other)

    def _end(self, candidate: Candidate) -> Candidate:
        return candidate[len(parted(candidate, self.blocks)[0]) :]


#: What a search chooses among.
Subnetworks: TypeAlias = FeasibleSets | Mixtures
