"""The policy against three updates recorded from the authors' released search (../shared/golden)."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from skiptune import SearchConfig
from skiptune.searching.feasible_sets import FeasibleSets
from skiptune.searching.strategies.policy import Policy
from skiptune.searching.strategies.rewards import exp_loss

GOLDEN = Path(__file__).parents[2] / ".." / "shared" / "golden"
pytestmark = pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"golden numbers are not here: {GOLDEN}")
KINDS = pytest.mark.parametrize("kind", ["vilt", "meter"])


def trace(kind: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((GOLDEN / f"{kind}_policy_trace.json").read_text())
    return content


def policy_of(recorded: dict[str, Any]) -> Policy:
    blocks = len(recorded["gate_init"])
    feasible = FeasibleSets.of_number(blocks, recorded["skip_num"])
    return Policy(feasible, SearchConfig.paper(), 0, tuple(map(str, range(blocks))))


def float32(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def follow(preferences: Tensor, candidates: list[list[int]], losses: list[float]) -> Tensor:
    """The released arithmetic, bit for bit.

    Rewards and baseline are double precision. Everything from the first product on is single precision, multiplied
    from left to right and rounded after each operation, with the probabilities from before the round; ``advantage · (p
    · (1 − p))`` would differ in the last bit.
    """
    rewards = [math.exp(-loss) for loss in losses]
    baseline = sum(rewards) / len(rewards)
    probabilities = preferences.sigmoid()
    after = preferences.clone()
    for candidate, reward in zip(candidates, rewards, strict=True):
        for block in candidate:
            p = probabilities[block]
            after[block] += (reward - baseline) * p * (1 - p)
    return after


@KINDS
def test_recorded_rewards_and_baselines(kind: str) -> None:
    for update in trace(kind)["updates"]:
        rewards = exp_loss(update["val_losses"])
        assert rewards == update["rewards"]
        assert sum(rewards) / len(rewards) == update["baseline"]


@KINDS
def test_recorded_preferences_follow(kind: str) -> None:
    updates = trace(kind)["updates"]
    preferences = float32(trace(kind)["gate_init"])
    for update in updates:
        assert preferences.tolist() == update["gate_before"]
        preferences = follow(preferences, update["candidates"], update["val_losses"])
        assert preferences.tolist() == update["gate_after"]


@KINDS
def test_policy_reproduces_the_trace_bit_for_bit(kind: str) -> None:
    recorded = trace(kind)
    policy = policy_of(recorded)
    policy.g = float32(recorded["gate_init"])
    for number, update in enumerate(recorded["updates"]):
        candidates = [tuple(candidate) for candidate in update["candidates"]]
        policy.update(candidates, exp_loss(update["val_losses"]))
        assert policy.g.dtype == torch.float32
        assert policy.g.tolist() == update["gate_after"], f"update {number}"


@KINDS
def test_policy_chooses_what_the_released_search_would(kind: str) -> None:
    recorded = trace(kind)
    policy = policy_of(recorded)
    policy.g = float32(recorded["updates"][-1]["gate_after"])
    assert policy.best() == tuple(sorted(recorded["final_selection_if_epoch_ended"]))
