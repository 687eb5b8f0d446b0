"""Searches on recorded losses of SmolLM2-135M: every plan of two of its 30 layers, on 16 texts.

Recorded by ``benchmarks/landscape_smollm2.py`` (captions, the first batch of the judge). Here searches may look at all
texts, so what is tested is how well they use comparisons, not how well a plan does on new texts.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from skiptune import SearchConfig
from skiptune.searching.feasible_sets import Candidate, FeasibleSets
from skiptune.searching.strategies import STRATEGIES

NAMES = tuple(str(layer) for layer in range(30))
ROUNDS, CANDIDATES, BATCH = 20, 8, 8


class Landscape:
    """In the place of an evaluator: it reads what was recorded."""

    def __init__(self) -> None:
        content = np.load(Path(__file__).parents[1] / "fixtures" / "smollm2_captions.npz")
        sets = [(), *((layer,) for layer in range(30)), *combinations(range(30), 2)]
        self.rows = {one: row for row, one in enumerate(sets)}
        self.sums, self.tokens, self.influence = content["losses"], content["tokens"], content["influence"]
        self.asked = 0

    def loss(self, candidate: Candidate, texts: slice = slice(None)) -> float:
        return float(self.sums[self.rows[candidate]][texts].sum() / self.tokens[texts].sum())

    def losses(self, candidates: list[Candidate], number: int) -> list[float]:
        self.asked += len(candidates)
        begin = number * BATCH % len(self.tokens)
        return [self.loss(candidate, slice(begin, begin + BATCH)) for candidate in candidates]


@pytest.fixture(autouse=True)
def recorded_influence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skiptune.searching.strategies.bandit.influences", lambda landscape, _: landscape.influence)


def regret(name: str, seed: int, batches: int = 4) -> tuple[float, int]:
    """What the plan of a strategy loses against the best plan, and how many subnetworks it compared."""
    landscape = Landscape()
    config = SearchConfig(strategy=name, candidates=CANDIDATES, batches=batches)  # type: ignore[arg-type]
    strategy = STRATEGIES[name](FeasibleSets.of_number(30, 2), config, seed, NAMES)
    strategy.decide(landscape, ROUNDS)  # type: ignore[arg-type]
    best = min(map(landscape.loss, combinations(range(30), 2)))
    return landscape.loss(strategy.best()) - best, landscape.asked


def test_the_bandit_loses_at_most_half_of_what_greedy_does_for_fewer_comparisons() -> None:
    greedy, dear = regret("greedy", 0)
    own = [regret("bandit", seed) for seed in range(2)]
    assert all(asked < dear for _, asked in own)
    assert greedy > 0
    assert np.mean([lost for lost, _ in own]) <= greedy / 2
