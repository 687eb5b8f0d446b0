"""The Gaussian process over sets of blocks: against the textbook, and against landscapes made for it."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from skiptune import SearchConfig
from skiptune.searching.feasible_sets import FeasibleSets
from skiptune.searching.strategies.bandit import Bandit
from skiptune.searching.strategies.gaussian_process import Kernel, posterior_of, stacks

NAMES = tuple(str(number) for number in range(8))
SETS = list(combinations(range(8), 3))
TWO_STACKS = ("text.0", "text.1", "image.0", "text.2", "image.1")


class World:
    """Losses of sets: single effects, neighbours that hurt together, and noise that a round shares in part."""

    def __init__(self, noise: float = 0.02, neighbours: float = 0.3) -> None:
        self.noise, self.neighbours = noise, neighbours
        self.effects = np.array([0.3, 0.05, 0.2, 0.0, 0.25, 0.02, 0.4, 0.1])
        self.influence = [0.0] * 8
        self.asked = 0

    def truth(self, candidate: tuple[int, ...]) -> float:
        near = sum(b - a == 1 for a, b in pairwise(candidate))
        return float(self.effects[list(candidate)].sum() + self.neighbours * near)

    def losses(self, candidates: list[tuple[int, ...]], number: int) -> list[float]:
        self.asked += len(candidates)
        generator = np.random.default_rng(number)
        level = 5 * generator.standard_normal()
        return [level + self.truth(one) + self.noise * generator.standard_normal() for one in candidates]


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no model whose blocks could be looked at: the world says what their influence is."""
    monkeypatch.setattr("skiptune.searching.strategies.bandit.influences", lambda world, batches: world.influence)


def bandit(candidates: int = 6, seed: int = 0) -> Bandit:
    return Bandit(FeasibleSets.of_number(8, 3), SearchConfig(candidates=candidates), seed, NAMES)


def test_distances_count_within_a_stack() -> None:
    assert stacks(TWO_STACKS) == [("text", 0), ("text", 1), ("image", 0), ("text", 2), ("image", 1)]
    kernel = Kernel(stacks(TWO_STACKS))
    assert kernel.pairs == {1: [(0, 1), (1, 3), (2, 4)], 2: [(0, 3)]}


def test_the_kernel_is_that_of_the_effects_it_names() -> None:
    """Covariance of sums of independent effects, drawn and summed."""
    prior = np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    kernel, generator = Kernel(stacks(NAMES), prior), np.random.default_rng(0)
    sets = [(0, 1, 2), (0, 1, 5), (3, 5, 7), (0, 2, 4)]
    draws = 200_000
    single = generator.standard_normal((draws, 8))
    distance = 1.5 * generator.standard_normal((draws, 8)) * np.exp(-(np.arange(8) - 1) / 1.5)
    pair = 0.4 * generator.standard_normal((draws, 8, 8))
    own = 0.1 * generator.standard_normal((draws, len(sets)))
    share = generator.standard_normal(draws)  # standardized, the prior is −1 and 1
    values = np.stack(
        [
            sum(single[:, a] for a in one)
            + sum(distance[:, b - a] + pair[:, a, b] for a, b in combinations(one, 2))
            + own[:, row]
            + share * sum(2 * prior[a] - 1 for a in one)
            for row, one in enumerate(sets)
        ]
    )
    assert kernel(sets, sets) == pytest.approx(np.cov(values), abs=0.1)


def test_the_level_of_a_round_says_nothing() -> None:
    world, kernel = World(), Kernel(stacks(NAMES))
    rounds = [(SETS[k::9], world.losses(SETS[k::9], k)) for k in range(3)]
    shifted = [(sets, [loss + 7 * k for loss in losses]) for k, (sets, losses) in enumerate(rounds)]
    assert posterior_of(kernel, SETS, rounds).mean == pytest.approx(posterior_of(kernel, SETS, shifted).mean, abs=1e-8)


def test_it_learns_neighbours_from_a_third_of_the_sets() -> None:
    world, kernel = World(noise=0.01), Kernel(stacks(NAMES))
    seen = [SETS[k] for k in np.random.default_rng(0).permutation(len(SETS))[:18]]
    posterior = posterior_of(kernel, SETS, [(seen, world.losses(seen, 0))])
    truth = [world.truth(one) for one in SETS]
    assert np.corrcoef(posterior.mean, truth)[0, 1] > 0.9


def test_blocks_that_cannot_be_spared_do_not_hide_the_others() -> None:
    world = World(noise=0.02)
    world.effects[[0, 6]] = 30, 60
    best = min(SETS, key=world.truth)
    kernel = Kernel(stacks(NAMES))
    rounds = [(SETS[k::9], world.losses(SETS[k::9], k)) for k in range(9)]
    posterior = posterior_of(kernel, SETS, rounds)
    assert SETS[posterior.best()] == best


def test_a_prior_belief_is_used_and_dropped_where_it_is_wrong() -> None:
    world = World(neighbours=0.0)
    seen = SETS[::8]
    truth = np.array([world.truth(one) for one in SETS])
    fits = []
    for prior in (None, world.effects, -world.effects):
        kernel = Kernel(stacks(NAMES), prior)
        found = posterior_of(kernel, SETS, [(seen, world.losses(seen, 0))])
        fits.append(np.corrcoef(found.mean, truth)[0, 1])
    assert fits[1] > fits[0] + 0.02
    assert fits[2] == pytest.approx(fits[0], abs=1e-6)


def test_the_bandit_finds_the_best_set_and_stops_when_it_is_sure() -> None:
    world, searcher = World(), bandit()
    best = min(SETS, key=world.truth)
    rounds = searcher.decide(world, 60)
    assert all(len(set(map(tuple, entry.candidates))) == 6 for entry in rounds)
    assert len(rounds) < 60
    assert world.asked == 6 * len(rounds)
    assert searcher.best() == best
    found = searcher.certainty()
    assert found.confidence >= 0.95
    assert found.likely <= 2  # counted on other samples than the confidence
    assert found.sets == 56
    assert 0 <= found.expected_regret < 0.1 * found.spread


def test_equal_blocks_are_reported_as_such() -> None:
    world = World(noise=0.1, neighbours=0.0)
    world.effects[:] = 0
    searcher = bandit()
    for step in range(5):
        searcher.compare(world, step)
    assert searcher.certainty().likely > 10


def test_where_losses_say_nothing_influence_does() -> None:
    chosen = []
    for seed in range(6):
        world, searcher = World(noise=0.1, neighbours=0.0), bandit(seed=seed)
        world.effects[:] = 0
        world.influence = [0.5, 0.1, 0.5, 0.5, 0.1, 0.5, 0.5, 0.1]
        searcher.decide(world, 10)
        chosen.append(sum(world.influence[block] for block in searcher.best()))
    assert np.mean(chosen) < 0.85  # 1.05 over all sets


def test_where_losses_differ_much_influence_says_little() -> None:
    world, searcher = World(), bandit()
    best = min(SETS, key=world.truth)
    world.influence = [float(block in best) for block in range(8)]  # speaks against it
    searcher.decide(world, 20)
    assert world.truth(searcher.best()) <= sorted(map(world.truth, SETS))[5]


def test_it_is_better_than_chance_after_few_rounds() -> None:
    regrets = []
    for seed in range(20):
        world, searcher = World(noise=0.1), bandit(seed=seed)
        for step in range(4):
            searcher.compare(world, step)
        regrets.append(world.truth(searcher.best()) - min(map(world.truth, SETS)))
    chance = np.mean([world.truth(one) for one in SETS]) - min(map(world.truth, SETS))
    assert np.mean(regrets) < 0.3 * chance


def test_more_sets_than_can_be_thought_about() -> None:
    feasible = FeasibleSets((1.0,) * 14 + (3.0,) * 15, 12.0)
    names = tuple(f"text.{k}" for k in range(14)) + tuple(f"image.{k}" for k in range(15))
    searcher = Bandit(feasible, SearchConfig(candidates=8), 0, names)
    searcher.check()
    world = World()
    world.effects = np.linspace(0, 1, 29)
    for step in range(4):
        searcher.compare(world, step)
    assert sum(feasible.savings[block] for block in searcher.best()) >= 12
    assert len(searcher.preferences) == 29


def test_many_rounds_become_larger_ones() -> None:
    world, searcher = World(noise=5.0), bandit()
    numbers: list[int] = []
    losses = world.losses
    world.losses = lambda candidates, number: (numbers.append(number), losses(candidates, number))[1]  # type: ignore[method-assign]
    assert len(searcher.decide(world, 130)) == 43
    assert numbers == list(range(129))
