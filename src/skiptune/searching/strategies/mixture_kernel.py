"""The Gaussian process over mixtures of skipped blocks and a token schedule.

To what sets of blocks have (:mod:`.gaussian_process`) come effects of the schedule: of every place, how often the
number of image tokens has halved there; of how many layers they pass unchanged; a smooth function of all of these
together; one of the number of skipped blocks, which differs from schedule to schedule; and one of every block that
changes smoothly with the schedule.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from ..feasible_sets import Candidate, parted
from .gaussian_process import Array, Kernel

#: Standard deviations, relative to that of a block's effect, that half as many tokens at a place may have; the most
#: likely one is used.
_HALVED = (0.3, 1.0, 3.0)
#: Those of the smooth function, relative to that; of the number of blocks; of a block's effect under a schedule; of a
#: mixture by itself.
_SMOOTH, _NUMBER, _CHANGED, _MIXTURE = 1.0, 1.0, 0.4, 0.1
#: Distance in coordinates over which smooth functions change.
_REACH = 1.5


class MixtureKernel(Kernel):
    """Prior covariance between the losses of mixtures.

    Args:
        places, prior: as of :class:`Kernel`.
        coordinates: ``(schedules, coordinates)``; see :attr:`.Mixtures.coordinates`.

    Attributes:
        coordinates: these, and a last row of zeros for mixtures without a schedule.
        same, near: of every two rows, whether they are equal, and the smooth function of their distance.
    """

    def __init__(self, places: Sequence[tuple[str, int]], coordinates: Array, prior: Array | None = None) -> None:
        super().__init__(places, prior)
        self.coordinates = np.concatenate((coordinates, np.zeros((1, coordinates.shape[1]))))
        apart = ((self.coordinates[:, None] - self.coordinates[None]) ** 2).sum(-1)
        self.same, self.near = apart == 0, np.exp(-apart / (2 * _REACH**2))
        self.halved = 1.0

    def variants(self) -> list[Kernel]:
        found = []
        for halved in _HALVED:
            one = copy.copy(self)
            one.halved = halved
            found.append(one)
        return list[Kernel](found)

    def schedules(self, sets: Sequence[Candidate]) -> list[int]:
        """The row of each mixture's schedule in :attr:`coordinates`: the last one, all zeros, where it has none."""
        numbers = (parted(one, self.blocks)[1] for one in sets)
        return [len(self.coordinates) - 1 if number is None else number for number in numbers]

    def __call__(self, sets: Sequence[Candidate], others: Sequence[Candidate]) -> Array:
        chosen, theirs = self.features(sets)[0], self.features(others)[0]
        at, there = self.schedules(sets), self.schedules(others)
        pairs = np.ix_(at, there)
        common, near = chosen @ theirs.T, self.near[pairs]
        same = self.same[pairs] & (chosen.sum(1)[:, None] + theirs.sum(1)[None] == 2 * common)
        found: Array = (
            super().__call__(sets, others)
            + self.halved**2 * (self.coordinates[at] @ self.coordinates[there].T + _SMOOTH**2 * near)
            + _NUMBER**2 * np.outer(chosen.sum(1), theirs.sum(1))
            + _CHANGED**2 * near * common
            + _MIXTURE**2 * same
        )
        return found
