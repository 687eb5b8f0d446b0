"""Mixtures of blocks and token schedules, and the bandit on landscapes made for them: no model."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from skiptune import Budget, InputError, SearchConfig
from skiptune.costs.token_costs import TokenCosts
from skiptune.searching.just_met import counted_just_met, just_met
from skiptune.searching.mixtures import Mixtures
from skiptune.searching.strategies import make_strategy
from skiptune.searching.token_pool import mixtures_of, schedule_of

NAMES = tuple(str(number) for number in range(8))
PLACES = ("0", "2", "4", "6")
CONFIG = SearchConfig(tokens="merge", candidates=6)
#: Blocks take 1 with all image tokens, of which 0.1 is for text; 0.5 more cannot be saved.
SHARES = (1.0, 0.5, 0.1)
COSTS = TokenCosts(
    places=PLACES,
    way="merge",
    original=8.5,
    savings={name: tuple(0.1 + 0.9 * share for share in SHARES) for name in NAMES},
    rest=(0.5, 0.5, 0.5),
    after={name: number // 2 + 1 for number, name in enumerate(NAMES)},
    again=0.02,
)


def mixtures(macs: float = -0.5, **changes: str) -> Mixtures:
    return mixtures_of(COSTS, Budget(macs=macs), CONFIG.replace(**changes), {})


def cost(found: Mixtures, candidate: tuple[int, ...]) -> float:
    blocks = [NAMES[block] for block in candidate if block < 8]
    tokens = [found.schedules[number - 8] for number in candidate if number >= 8]
    return COSTS.at(tokens[0] if tokens else None).with_skipped(blocks) / COSTS.original - 1


@pytest.mark.parametrize("macs", [-0.3, -0.5, -0.7])
def test_whatever_is_drawn_meets_the_budget(macs: float) -> None:
    found, generator = mixtures(macs), np.random.default_rng(0)
    drawn = [found.drawn(generator) for _ in range(200)]
    near = [other for one in drawn[:5] for other in found.neighbours(one, [0.0] * 8)]
    spread = [one for one, _ in zip(found.evenly(generator), range(100), strict=False)]
    assert max(cost(found, one) for one in (*drawn, *near, *spread)) <= macs + 1e-6
    assert {one[-1] for one in spread} >= set(range(8, 8 + len(found.schedules)))
    assert np.bincount([block for one in spread for block in one if block < 8], minlength=8).min() > 0


def test_the_count_is_that_of_all_sets() -> None:
    found = mixtures()
    sets = [(end, sets) for end, sets in found.parts]
    every = {
        (*chosen, *end)
        for end, each in sets
        for size in range(8)
        for chosen in combinations(range(8), size)
        if each.met(chosen) and not any(each.met([b for b in chosen if b != out]) for out in chosen)
    }
    assert found.count() == len(every)


def test_no_schedule_is_milder_and_needs_as_few_blocks() -> None:
    found = mixtures()
    shares = [COSTS.shares(tokens) for tokens in found.schedules]
    targets = [sets.target > 0 for sets in found.sets]
    alone = [one for one, needs in zip(shares, targets, strict=True) if not needs]
    for one in alone:
        assert not any(other != one and all(a >= b for a, b in zip(other, one, strict=True)) for other in alone)
        assert COSTS.at(schedule_of(PLACES, one, "merge")).adapted / 8.5 - 1 == pytest.approx(-0.5, abs=0.01)
    assert 10 < len(shares) < 60
    assert found.plain is not None


def test_tokens_alone_and_one_uniform_schedule() -> None:
    alone, uniform = mixtures(mixture="tokens"), mixtures(mixture="uniform")
    assert all(candidate[0] >= 8 for candidate in (alone.drawn(np.random.default_rng(k)) for k in range(20)))
    assert uniform.only == (8,)
    assert uniform.count() == 1
    shares = COSTS.shares(uniform.schedules[0])
    assert [after / before for before, after in zip((1.0, *shares), shares, strict=False)] == pytest.approx(
        [shares[0]] * 4, rel=0.01
    )
    strategy = make_strategy(uniform, CONFIG, 0, NAMES)
    assert not strategy.searches
    assert strategy.chosen_tokens() == uniform.schedules[0]
    assert strategy.chosen() == ()


def test_budgets_that_no_mixture_meets() -> None:
    with pytest.raises(InputError, match=r"macs: -0.97 cannot be met; skipping 7 of 8 .* with 15% of the image tokens"):
        mixtures(-0.97)
    with pytest.raises(
        InputError, match=r"macs: -0.8 cannot be met by fewer image tokens alone; 15% of them give -0\.\d"
    ):
        mixtures(-0.8, mixture="tokens")
    with pytest.raises(InputError, match="fewer image tokens at these places cannot meet the budget"):
        mixtures(-0.95, mixture="uniform")


def test_a_wrong_estimate_is_mended_by_counting() -> None:
    schedule = schedule_of(PLACES, (0.7, 0.5, 0.5, 0.25), "merge")
    counted = []

    def count(tokens) -> float:
        counted.append(tokens)
        return 1.03 * COSTS.at(tokens).adapted + 0.05

    found = counted_just_met(schedule, lambda tokens: COSTS.at(tokens).adapted, count, 5.0)
    assert 4.98 < count(found) <= 5.0
    assert len(counted) <= 4
    assert just_met(schedule, count, 8.9) is None  # nothing needs to go


class World:
    """A landscape on which a mixture is best: blocks 1 and 2 are free, and so are tokens in the last quarter."""

    def __init__(self, found: Mixtures, noise: float) -> None:
        self.found, self.noise = found, noise
        self.effects = np.array([0.8, 0.02, 0.02, 0.5, 0.6, 0.7, 0.5, 0.9])
        self.halved = np.array([0.5, 0.4, 0.05, 0.02])

    def truth(self, candidate: tuple[int, ...]) -> float:
        blocks = [block for block in candidate if block < 8]
        at = [self.found.coordinates[number - 8] for number in candidate if number >= 8]
        return float(self.effects[blocks].sum() + (self.halved @ at[0] if at else 0.0))

    def losses(self, candidates: list[tuple[int, ...]], number: int) -> list[float]:
        generator = np.random.default_rng(number)
        return [self.truth(one) + self.noise * generator.standard_normal() for one in candidates]


def test_the_bandit_finds_the_mixture_that_is_best(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skiptune.searching.strategies.bandit.influences", lambda world, batches: [0.1] * 8)
    found = mixtures()
    world = World(found, noise=0.05)
    truth = sorted(world.truth(found.drawn(np.random.default_rng(k))) for k in range(2000))
    strategy = make_strategy(found, CONFIG, 0, NAMES)
    strategy.decide(world, 12)  # type: ignore[arg-type]
    best = strategy.best()
    assert {1, 2} <= set(best)
    assert best[-1] >= 8
    assert world.truth(best) <= truth[20]  # of the best hundredth
    assert make_strategy(found, CONFIG, 0, NAMES).draw(3) == strategy.draw(3)
