"""The search and the training: same seed same plan, nothing global touched, accumulation, and a stop at NaN."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from skiptune import Budget, InputError, RunError, SearchConfig, SkipConfig, TrainConfig, fit, search
from skiptune.searching.policy import Policy
from skiptune.searching.reward import Standardized
from skiptune.training import trained_state

SEARCH = SearchConfig(max_steps=9, interval=2)
TRAIN = TrainConfig(batch_size=8, learning_rate=1e-3)
TWO = Budget(num_skip=2)


def test_same_seed_same_plan_and_nothing_left_behind(make_model, task, parts) -> None:
    plans = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        model = make_model(SkipConfig())
        before = {name: value.clone() for name, value in model.state_dict().items()}
        states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
        plans.append(search(model, task, *parts, TWO, SEARCH, TRAIN))
        assert torch.equal(torch.get_rng_state(), states[0])
        assert random.getstate() == states[1]
        assert np.random.get_state()[1].tolist() == states[2]
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert plans[0].skipped == plans[1].skipped
    assert plans[0].preferences == plans[1].preferences
    assert any(plans[0].preferences.values())


def test_accumulation_gives_the_same_plan(make_model, task, parts) -> None:
    plans = [
        search(
            make_model(SkipConfig()), task, *parts, TWO, SearchConfig(max_steps=4, interval=2, reward_batch_size=8), c
        )
        for c in (TRAIN, TrainConfig(batch_size=2, gradient_accumulation=4, learning_rate=1e-3))
    ]
    assert plans[0].skipped == plans[1].skipped
    assert [r["candidates"] for r in plans[0].details["rounds"]] == [
        r["candidates"] for r in plans[1].details["rounds"]
    ]


def test_micro_batches_of_uneven_size_are_one_batch(make_model, task, parts) -> None:
    """21 records: the last step of an epoch has 5, which are 4 and 1 in micro-batches of 4."""
    trained = []
    for config in (TRAIN, TrainConfig(batch_size=4, gradient_accumulation=2, learning_rate=1e-3)):
        model = make_model(SkipConfig())
        losses = fit(model, task, parts[0][:21], replace(config, max_steps=6))["history"]
        trained.append((trained_state(model), [entry["loss"] for entry in losses]))
    assert trained[0][1] == pytest.approx(trained[1][1], rel=1e-4)
    for name, value in trained[0][0].items():
        torch.testing.assert_close(trained[1][0][name], value, rtol=1e-3, atol=1e-5)


def test_a_search_goes_on_with_another_split_of_its_batch(make_model, task, parts, tmp_path) -> None:
    split = TrainConfig(batch_size=4, gradient_accumulation=2, learning_rate=1e-3)
    whole = search(make_model(SkipConfig()), task, *parts, TWO, SEARCH, TRAIN, tmp_path)
    again = search(make_model(SkipConfig()), task, *parts, TWO, SEARCH, split, tmp_path)
    assert again.details["steps"] == whole.details["steps"] == 9  # there was nothing left to do
    assert again.details["rounds"] == whole.details["rounds"]
    each = replace(SEARCH, draw="micro_batch")
    search(make_model(SkipConfig()), task, *parts, TWO, each, split, tmp_path / "each")
    with pytest.raises(InputError, match=r"gradient_accumulation: 1, but this search began with 2"):
        search(make_model(SkipConfig()), task, *parts, TWO, each, TRAIN, tmp_path / "each")


def test_nan_stops_the_training(make_model, task, parts) -> None:
    model = make_model(SkipConfig())
    with torch.no_grad():
        model.classifier[0].weight[0, 0] = float("nan")
    with pytest.raises(RunError, match="the loss is nan at step 1"):
        fit(model, task, parts[0], TrainConfig(max_steps=2, batch_size=8))


def test_shared_images_and_nothing_to_skip(make_model, task, parts) -> None:
    with pytest.raises(InputError, match="share 12 images"):
        search(make_model(SkipConfig()), task, parts[0], parts[0], TWO, SEARCH, TRAIN)
    assert search(make_model(SkipConfig()), task, *parts, Budget(num_skip=0), SEARCH, TRAIN).strategy == "none"


def test_policy_draws_distinct_candidates_from_its_own_generator() -> None:
    policy, state = Policy(6, 2, seed=3), torch.get_rng_state()
    drawn = policy.draw_distinct(15, step=0)
    assert len(set(drawn)) == 15
    assert drawn == Policy(6, 2, seed=3).draw_distinct(15, step=0)
    assert torch.equal(state, torch.get_rng_state())
    with pytest.raises(InputError, match="gives only 15"):
        policy.draw_distinct(16, step=0)


def test_standardized_reward_ignores_the_scale_of_the_loss() -> None:
    small, large = Standardized(), Standardized()
    for losses in ([1.0, 2.0, 4.0], [3.0, 1.0, 1.5]):
        assert small(losses) == pytest.approx(large([800 * loss for loss in losses]))
