"""Our strategy: Thompson sampling over sets of blocks, with a Gaussian process that models pairs and neighbours.

Departures from the paper's policy. Comparisons are expensive, so each should tell as much as possible: a loss informs
about all similar sets, not only about the blocks in the measured one; candidates are drawn with the probability that
they are the best (Thompson, 1933), so that comparisons go where the choice is open; the common offset of a round is
removed exactly; a whole set is chosen, not blocks that did well in different sets.

The loss right after the search does not fully predict the final accuracy. Of the plans trained to the end on easy-VQA,
those of the influence heuristic (ShortGPT), which uses no loss, end best (``benchmarks/results/search_quality.json``).
So the influence of the skipped blocks is added to a set's expected loss, with a weight that did not raise the loss of
the chosen plans in replays on both recorded landscapes. Influence is also the prior belief about losses, so that
comparisons begin where it is small.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ...config import SearchConfig
from ...core.progress import track
from ...plan import Certainty, Round
from ..evaluator import Evaluator
from ..feasible_sets import Candidate
from ..mixtures import Mixtures, Subnetworks
from .gaussian_process import TINY, Array, Kernel, Observed, Posterior, posterior_of, stacks
from .influence import influences
from .mixture_kernel import MixtureKernel
from .removal import mean_losses
from .strategy import Strategy

#: Largest number of sets in the pool; if there are more, this many drawn at random, and those near the best.
_POOL = 1000
_SAMPLES = 400
#: Largest number of rounds. If the budget allows more, each round uses more batches instead, because a posterior after
#: n losses takes time of the order of n³.
_ROUNDS = 40
#: Weight of a standard deviation of influence, in standard deviations of the expected loss, both over all sets.
_INFLUENCE = 0.4
#: Confidence in the best set at which comparisons stop.
_SURE = 0.95


class Bandit(Strategy):
    """Compares the sets that may be best, a few per round, until one is the best with high confidence or the rounds are
    over.

    All rounds come at the end of the search, when adapters have learnt on evenly drawn sets: losses of half-trained
    adapters tell little about trained ones. The first round covers the blocks evenly. Preferences are, for every block,
    the mean loss expected of sets that keep it less that of sets that skip it.
    """

    name = "bandit"
    batch_share = 0.5  # many small comparisons tell more than few large ones

    def __init__(self, subnetworks: Subnetworks, config: SearchConfig, seed: int, names: tuple[str, ...]) -> None:
        super().__init__(subnetworks, config, seed, names)
        self.kernel = self._kernel()
        self.rounds: list[Observed] = []
        self.confidence = 0.0
        self.influence: Array = np.zeros(self.blocks)
        self.posterior: Posterior | None = None

    def decide(self, evaluator: Evaluator, rounds: int) -> list[Round]:
        found: list[Round] = []
        self.influence = np.array(influences(evaluator, self.config.batches))
        self.kernel = self._kernel(np.log(self.influence.clip(TINY)))
        rounds -= 1  # about the cost of that
        batches = max(1, rounds // _ROUNDS)
        for number in track(range(max(1, rounds // batches)), "comparing"):
            if self.confidence < _SURE:
                found.append(self.compare(evaluator, number, batches))
        return found

    def _kernel(self, prior: Array | None = None) -> Kernel:
        if isinstance(self.subnetworks, Mixtures):
            return MixtureKernel(stacks(self.names), self.subnetworks.coordinates, prior)
        return Kernel(stacks(self.names), prior)

    def compare(self, evaluator: Evaluator, step: int, batches: int = 1) -> Round:
        """One round; each of its losses is a mean over ``batches`` held-out batches."""
        candidates = self._candidates(step)
        losses = mean_losses(evaluator, candidates, range(step * batches, (step + 1) * batches))
        self.rounds.append((candidates, losses))
        self._update_posterior(step)
        return Round(
            candidates=tuple(candidates),
            losses=tuple(losses),
            confidence=self.confidence,
            preferences=tuple(self.preferences),
        )

    def certainty(self) -> Certainty | None:
        posterior = self.posterior
        if posterior is None:
            return None
        samples = posterior.sample(self.generator(0, 1), _SAMPLES)
        wins = np.sort(np.bincount(samples.argmin(1), minlength=len(posterior.sets)))[::-1] / _SAMPLES
        regret = samples[:, posterior.best()] - samples.min(1)
        return Certainty(
            confidence=self.confidence,
            expected_regret=float(regret.mean()),
            spread=float(posterior.mean.std()),
            likely=int(np.searchsorted(np.cumsum(wins), _SURE)) + 1,
            sets=self.subnetworks.count(),
        )

    def _update_posterior(self, step: int) -> None:
        """Update the posterior after the rounds so far, and all that follows from it; ``step`` seeds its random
        numbers."""
        posterior = posterior_of(self.kernel, self._pool(step), self.rounds)
        posterior = replace(posterior, mean=posterior.mean + self._influence_term(posterior))
        self.posterior = posterior
        best = posterior.best()
        self.choice = posterior.sets[best]
        wins = posterior.sample(self.generator(step, 1), _SAMPLES).argmin(1)
        self.confidence = float((wins == best).mean())
        chosen, _ = self.kernel.features(posterior.sets)
        share = chosen.mean(0)
        skipped = chosen.T @ posterior.mean / np.maximum(chosen.sum(0), 1)
        kept = (1 - chosen).T @ posterior.mean / np.maximum((1 - chosen).sum(0), 1)
        self.preferences = np.where((share > 0) & (share < 1), kept - skipped, 0.0).tolist()

    def _influence_term(self, posterior: Posterior) -> Array:
        """The term that the influence of its blocks adds to every set's expected loss."""
        # with schedules, sets differ much in size, and this says nothing about how many blocks to skip
        level = self.influence.mean() if isinstance(self.subnetworks, Mixtures) else 0.0
        total = self.kernel.features(posterior.sets)[0] @ (self.influence - level)
        found: Array = _INFLUENCE * posterior.mean.std() * (total - total.mean()) / max(float(total.std()), TINY)
        return found

    def _candidates(self, step: int) -> list[Candidate]:
        """The candidates of one round: different sets, each drawn with the probability that it is the best."""
        generator = self.generator(step, 2)
        wanted = min(self.config.candidates, self.subnetworks.count())
        found: dict[Candidate, None] = {}
        source = (
            self.subnetworks.evenly(generator) if self.posterior is None else self._thompson(generator, self.posterior)
        )
        for candidate in source:
            found.setdefault(candidate)
            if len(found) == wanted:
                break
        return list(found)

    def _thompson(self, generator: np.random.Generator, posterior: Posterior) -> Iterator[Candidate]:
        """Thompson samples: the best sets of losses drawn from the posterior; if they all agree, random sets."""
        for number in posterior.sample(generator, 20 * self.config.candidates).argmin(1):
            yield posterior.sets[int(number)]
        while True:
            yield posterior.sets[int(generator.integers(len(posterior.sets)))]

    def _pool(self, step: int) -> list[Candidate]:
        """All sets if there are few; else random ones, those compared already, and those that differ from the best one
        in a single exchange.
        """
        every = self.subnetworks.every(_POOL)
        if every is not None:
            return every
        generator = self.generator(step, 3)
        found = {candidate: None for candidates, _ in self.rounds for candidate in candidates}
        compared = list(found)
        best = compared[posterior_of(self.kernel, compared, self.rounds).best()]
        found.update(dict.fromkeys(self.subnetworks.neighbours(best, self.preferences)))
        while len(found) < min(_POOL, self.subnetworks.count()):
            before = len(found)
            for _ in range(_POOL):
                found.setdefault(self.subnetworks.drawn(generator))
            if len(found) == before:
                break
        return list(found)
