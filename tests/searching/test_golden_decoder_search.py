"""The policy against updates recorded from the authors' decoders, LaVIN-DAS and LLaVA-DAS (../shared/golden/decoders).

Scores are equal bit for bit, losses of our models to rounding. What the released LLaVA does otherwise is put in
here, not in the library: its baseline is rounded to single precision; on one process it is a quarter of the mean, and
every update divides all scores by four.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import golden_lavin
import golden_llava
from golden_decoders import TOLERANCE, Golden, needs_golden
from skiptune import SearchConfig, choose
from skiptune.searching.feasible_sets import Candidate, FeasibleSets
from skiptune.searching.strategies.policy import Policy
from skiptune.searching.strategies.rewards import exp_loss

pytestmark = needs_golden
LAVIN = pytest.mark.parametrize("kind", ["lavin_pl", "lavin_mm"])
RANKS = pytest.mark.parametrize("ranks", ["ranks_4", "ranks_1"])
Trace = dict[str, Any]


class Released(Policy):
    """The policy as the authors ran it: all draws come from one generator."""

    def __init__(self, trace: Trace, config: SearchConfig, scores: list[float]) -> None:
        sets = FeasibleSets.of_number(len(scores), trace["skipped_num"])
        settings = {"candidates": trace["nas_step"], "policy_learning_rate": trace["policy_lr"]}
        super().__init__(sets, config.replace(**settings), 0, tuple(map(str, range(len(scores)))))
        self.g, self.random = torch.tensor(scores), torch.Generator().manual_seed(trace["seed"])
        self.drawn: list[Candidate] = []

    def draw(self, step: int, sets: FeasibleSets | None = None, candidate: int = 0) -> Candidate:
        self.drawn.append(self.draw_from(sets or self.feasible, self.random))
        return self.drawn[-1]


class OnFourRanks(Released):
    """The released LLaVA, which adds up over its processes, all with the same batch, and divides by four."""

    sum_over_ranks = 4

    def baseline(self, rewards: list[float]) -> float:
        return float(torch.tensor(super().baseline(rewards))) * self.sum_over_ranks / 4

    def update(self, candidates: list[Candidate], rewards: list[float]) -> None:
        super().update(candidates, rewards)
        self.g *= self.sum_over_ranks / 4


class OnOneRank(OnFourRanks):
    sum_over_ranks = 1


def follow(policy: Released, update: Trace) -> None:
    """One recorded round: its draws, rewards and scores."""
    assert policy.g.tolist() == update["scores_before"]
    policy.drawn.clear()
    candidates = policy.draw_distinct(policy.config.candidates, 0)
    assert policy.drawn == [tuple(sorted(drawn)) for drawn in update["candidates_drawn"]]
    assert candidates == list(map(tuple, update["candidates"]))
    rewards = exp_loss(update["losses"])
    assert rewards == update["rewards"]
    assert policy.baseline(rewards) == pytest.approx(update["baseline"], rel=1e-7)
    policy.update(candidates, rewards)
    assert policy.g.dtype == torch.float32
    assert policy.g.tolist() == update["scores_after"]


@LAVIN
def test_search_of_lavin_bit_for_bit(kind: str) -> None:
    trace = Golden(kind).trace
    policy = Released(trace, SearchConfig.lavin(), trace["updates"][0]["scores_before"])
    for update in trace["updates"]:
        assert list(policy.draw(0)) == update["training_subnetwork"]
        torch.empty((), dtype=torch.int64).random_(generator=policy.random)  # their loader of validation rows
        follow(policy, update)


@RANKS
def test_search_of_llava_bit_for_bit(ranks: str) -> None:
    trace = golden_llava.GOLDEN.trace
    updates = {update["micro_step"]: update for update in trace[ranks]["updates"]}
    kind = OnOneRank if ranks == "ranks_1" else OnFourRanks
    policy = kind(trace, SearchConfig.llava(), trace[ranks]["updates"][0]["scores_before"])
    for step in trace[ranks]["micro_steps"]:
        sets = policy.feasible.growing(2 * step["micro_step"], trace["warmup_steps"])
        assert sets.number == step["k"]
        assert list(policy.draw(0, sets)) == step["training_subnetwork"]
        if step["micro_step"] in updates:
            follow(policy, updates.pop(step["micro_step"]))
    assert not updates


def test_numbers_of_blocks_grow_as_released() -> None:
    sets = FeasibleSets.of_number(32, 7)
    for warmup in (1, 13, 100, 1140):
        expected = [min(7, 2 * 7 * step // warmup + 1) for step in range(1, warmup + 1)]
        assert [sets.growing(2 * step, warmup).number for step in range(1, warmup + 1)] == expected


@LAVIN
def test_losses_of_lavin(kind: str) -> None:
    golden, model = Golden(kind), golden_lavin.lavin(kind)
    for number, update in enumerate(golden.trace["updates"]):
        trained, compared = f"train{number}_", golden_lavin.sequence(golden, "val_", update["validation_rows"])
        cases = [(update["training_subnetwork"], update["training_loss"], golden_lavin.sequence(golden, trained))]
        cases += [(*pair, compared) for pair in zip(update["candidates"], update["losses"], strict=True)]
        for skipped, expected, inputs in cases:
            choose(model, map(str, skipped))
            assert golden_lavin.loss(logits(model, golden, inputs), inputs["labels"]) == pytest.approx(
                expected, rel=TOLERANCE
            ), skipped


def test_losses_of_llava() -> None:
    golden, model, inputs = golden_llava.GOLDEN, golden_llava.llava(), golden_llava.sequence("search_")
    recorded = golden.trace["ranks_4"]
    losses = {tuple(step["training_subnetwork"]): step["training_loss"] for step in recorded["micro_steps"]}
    for update in recorded["updates"]:
        losses |= dict(zip(map(tuple, update["candidates"]), update["losses"], strict=True))
    for skipped, expected in losses.items():
        choose(model, map(str, skipped))
        assert golden_llava.loss(logits(model, golden, inputs), inputs["labels"]) == pytest.approx(
            expected, rel=TOLERANCE
        ), skipped


@torch.no_grad()
def logits(model: Any, golden: Golden, inputs: dict[str, Tensor]) -> Tensor:
    given = {name: value for name, value in inputs.items() if name != "labels"}
    found: Tensor = model(**given, use_cache=False).logits[..., : golden.words]
    return found
