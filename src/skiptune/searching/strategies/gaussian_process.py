"""A Gaussian process over sets of skipped blocks: the expected loss of every set, and its uncertainty.

Skipping two blocks hurts more, or less, than the sum of both: of the differences between subnetworks of the embedded
model, single blocks explain 38 % on easy-VQA and 62 % on DAQUAR, with pairs it is 85 % and 84 % (least squares on
``benchmarks/results/search_landscape.json``). Skipping neighbouring blocks hurts most. So a set's loss is modelled as a
sum of effects: of every block in it, of every distance between two of them, of every pair, of a prior belief about its
blocks, and of the set itself. A priori they are independent normal variables. Losses of one round share a batch: their
mean is free, only their differences count.

Some blocks cannot be spared: without the first layer of a language model a loss is hundreds of times as far from the
best one as most are, and such losses follow no sum of effects. So the noise of a loss grows with its distance from the
best of its round; else a few of them would hide the differences among good sets.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...plan.block_names import stack_of
from ..feasible_sets import Candidate, parted

Array = NDArray[np.float64]
#: The candidates of a round and their losses.
Observed = tuple[list[Candidate], list[float]]
#: Prior standard deviations of the effects, relative to that of a block; that of a distance decreases with it.
_DISTANCE, _REACH, _PAIR, _SET = 1.5, 1.5, 0.4, 0.1
#: That of one standard deviation of the prior belief.
_PRIOR = 1.0
#: Noise variances of a loss measured on one batch, relative to that of a block's effect; the most likely one is used.
_NOISES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
#: How the noise's standard deviation grows with the distance from the best loss, in median distances.
_GROWTH = 0.3
TINY = 1e-9


def stacks(names: Sequence[str]) -> list[tuple[str, int]]:
    """The stack of every block and its place in it: ``text.3`` is the fourth of ``text``. Halves of layers, ``3.mlp``,
    are places of one stack."""
    places: dict[str, int] = {}
    found = []
    for name in names:
        stack = stack_of(name)
        places[stack] = places.get(stack, -1) + 1
        found.append((stack, places[stack]))
    return found


class Kernel:
    """Prior covariance between the losses of sets of blocks.

    Args:
        places: stack of every block and its place in it, in model order; distances count within a stack.
        prior: a number for every block that is believed to go with the loss of skipping it; it is standardized.
            ``None``: nothing is believed.
    """

    def __init__(self, places: Sequence[tuple[str, int]], prior: Array | None = None) -> None:
        self.blocks = len(places)
        self.prior = np.zeros(self.blocks) if prior is None else _standardized(prior)
        self.pairs: dict[int, list[tuple[int, int]]] = {}
        for one, (stack, place) in enumerate(places):
            for other, (same, further) in enumerate(places):
                if stack == same and further > place:
                    self.pairs.setdefault(further - place, []).append((one, other))

    def without_prior(self) -> Kernel:
        """The same without the prior belief."""
        found = copy.copy(self)
        found.prior = np.zeros(self.blocks)
        return found

    def variants(self) -> list[Kernel]:
        """This one, and others that losses choose among."""
        return [self]

    def features(self, sets: Sequence[Candidate]) -> tuple[Array, Array]:
        """Which blocks are in each set ``(sets, blocks)``, and how many of its pairs lie at each distance
        ``(sets, distances)``, weighted.
        """
        chosen = np.zeros((len(sets), self.blocks))
        for row, candidate in enumerate(sets):
            chosen[row, list(parted(candidate, self.blocks)[0])] = 1
        columns = [
            np.exp(-(distance - 1) / _REACH) * sum(chosen[:, one] * chosen[:, other] for one, other in pairs)
            for distance, pairs in self.pairs.items()
        ]
        return chosen, np.stack(columns, axis=1) if columns else np.zeros((len(sets), 0))

    def __call__(self, sets: Sequence[Candidate], others: Sequence[Candidate]) -> Array:
        """``(sets, others)`` covariances, in units of the variance of a block's effect."""
        (chosen, near), (their_chosen, their_near) = self.features(sets), self.features(others)
        common = chosen @ their_chosen.T
        differ = chosen.sum(1)[:, None] + their_chosen.sum(1)[None] - 2 * common
        found: Array = (
            common
            + _DISTANCE**2 * (near @ their_near.T)
            + _PAIR**2 * common * (common - 1) / 2
            + _PRIOR**2 * np.outer(chosen @ self.prior, their_chosen @ self.prior)
            + _SET**2 * (differ == 0)
        )
        return found


@dataclass(frozen=True)
class Posterior:
    """The posterior distribution of the loss of every set of a pool after some rounds, up to a constant.

    Attributes:
        sets: the pool.
        mean: ``(sets,)``.
        root: ``(sets, sets)``, a square root of their covariance.
    """

    sets: list[Candidate]
    mean: Array
    root: Array

    def sample(self, generator: np.random.Generator, count: int = 1) -> Array:
        """Draw ``count`` samples of all losses, ``(count, sets)``."""
        found: Array = self.mean + generator.standard_normal((count, len(self.sets))) @ self.root.T
        return found

    def best(self) -> int:
        """The number of the set with the lowest mean."""
        return int(np.argmin(self.mean))


def posterior_of(kernel: Kernel, pool: list[Candidate], rounds: Sequence[Observed]) -> Posterior:
    """The posterior over ``pool`` after the losses of some rounds.

    The scale of all effects and that of the noise are those of the highest marginal likelihood. The prior belief
    is dropped where the losses speak against it.
    """
    sets = [candidate for candidates, _ in rounds for candidate in candidates]
    distances = np.concatenate([np.array(losses) - min(losses) for _, losses in rounds])
    contrasts = _contrasts([len(candidates) for candidates, _ in rounds])
    noise = contrasts.T @ (_relative_noise(distances)[:, None] * contrasts)
    fits = [
        (variant, _fit(effects + level * noise, contrasts.T @ distances))
        for variant, effects in ((one, contrasts.T @ one(sets, sets) @ contrasts) for one in kernel.variants())
        for level in _NOISES
    ]
    kernel, fit = max(fits, key=lambda found: found[1].likely)
    weights = contrasts @ np.linalg.solve(fit.root.T, fit.white)
    if weights @ kernel.features(sets)[0] @ kernel.prior < 0:
        return posterior_of(kernel.without_prior(), pool, rounds)
    cross = kernel(pool, sets)
    known = np.linalg.solve(fit.root, (cross @ contrasts).T)
    covariance = fit.scale * (kernel(pool, pool) - known.T @ known)
    root = np.linalg.cholesky(covariance + 1e-6 * max(fit.scale, TINY) * np.eye(len(pool))).astype(np.float64)
    return Posterior(pool, cross @ weights, root)


def _relative_noise(distances: Array) -> Array:
    """Noise variances of losses, relative to that of a good one, by their distances from the best of their round."""
    apart = distances[distances > 0]
    median = float(np.median(apart)) if len(apart) else 1.0
    found: Array = 1 + (_GROWTH * distances / median) ** 2
    return found


def _standardized(values: Array) -> Array:
    """With mean 0 and standard deviation 1."""
    found: Array = (values - values.mean()) / max(float(values.std()), TINY)
    return found


def _contrasts(sizes: Sequence[int]) -> Array:
    """An orthonormal basis of the differences within rounds of these sizes ``(candidates, candidates − rounds)``."""
    found = np.zeros((sum(sizes), sum(sizes) - len(sizes)))
    row = column = 0
    for size in sizes:
        basis, *_ = np.linalg.svd(np.eye(size) - 1 / size)
        found[row : row + size, column : column + size - 1] = basis[:, : size - 1]
        row, column = row + size, column + size - 1
    return found


@dataclass(frozen=True)
class _Fit:
    """Observations under a covariance that is known up to its scale.

    Attributes:
        likely: their log likelihood at the best scale.
        scale: that scale.
        root: lower Cholesky factor of the covariance at scale 1.
        white: the observations, made independent: ``root⁻¹ · observed``.
    """

    likely: float
    scale: float
    root: Array
    white: Array


def _fit(covariance: Array, observed: Array) -> _Fit:
    root = np.linalg.cholesky(covariance + TINY * np.eye(len(observed))).astype(np.float64)
    white = np.linalg.solve(root, observed).astype(np.float64)
    if not len(observed):  # a single candidate: nothing to compare
        return _Fit(0.0, 0.0, root, white)
    scale = max(float((white**2).mean()), TINY**2)
    return _Fit(-0.5 * len(observed) * np.log(scale) - float(np.log(np.diag(root)).sum()), scale, root, white)
