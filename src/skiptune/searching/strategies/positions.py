"""Strategies that use only a block's position, or chance: baselines that cost nothing."""

from __future__ import annotations

import numpy as np

from ..feasible_sets import Candidate
from .strategy import Strategy


class Position(Strategy):
    """Skips blocks in a fixed order. It needs no trained adapters."""

    trains = False

    def order(self) -> list[int]:
        """All blocks, in the order in which they are skipped."""
        raise NotImplementedError

    def best(self) -> Candidate:
        return self.feasible.fill(self.order())


class Random(Strategy):
    """Random blocks, or a random mixture with a token schedule. It needs no trained adapters."""

    name = "random"
    trains = False

    def best(self) -> Candidate:
        return self.subnetworks.drawn(self.generator(0))


class First(Position):
    """The lowest blocks."""

    name = "first"

    def order(self) -> list[int]:
        return list(range(self.blocks))


class Last(Position):
    """The highest blocks."""

    name = "last"

    def order(self) -> list[int]:
        return list(range(self.blocks))[::-1]


class Even(Position):
    """Blocks at equal distances, as few of them as the budget allows, not the first and last ones."""

    name = "even"

    def order(self) -> list[int]:
        return list(range(self.blocks))

    def best(self) -> Candidate:
        chosen: tuple[int, ...] = ()
        useful = self.feasible.useful
        for count in range(len(useful) + 1):
            places = (np.arange(count) + 0.5) * len(useful) / count if count else np.zeros(0)
            chosen = tuple(useful[int(place)] for place in places)
            if self.feasible.met(chosen):
                break
        return self.feasible.fill([*chosen, *self.order()])
