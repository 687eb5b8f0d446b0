"""The search and the training: same seed same plan, nothing global touched, accumulation, and a stop at NaN."""

from __future__ import annotations

import random
from typing import get_args

import numpy as np
import pytest
import torch

from skiptune import Budget, Experiment, InputError, RunError, SearchConfig, SkipConfig, TrainConfig, fit, search
from skiptune.config import StrategyName
from skiptune.searching.feasible_sets import FeasibleSets
from skiptune.searching.search_schedule import schedule
from skiptune.searching.strategies import STRATEGIES
from skiptune.searching.strategies.policy import Policy
from skiptune.searching.strategies.rewards import Standardized
from skiptune.searching.training_length import TrainingLength
from skiptune.training.trained_state import trained_state

SEARCH = SearchConfig(max_steps=9, interval=2, candidates=3)
TRAIN = TrainConfig(batch_size=8, learning_rate=1e-3)
TWO = Budget(num_skip=2)


def policy_of(seed: int, candidates: int = 3) -> Policy:
    config = SearchConfig(strategy="policy", candidates=candidates)
    return Policy(FeasibleSets.of_number(6, 2), config, seed, tuple("abcdef"))


def test_same_seed_same_plan_and_nothing_left_behind(make_model, task, parts) -> None:
    plans = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        model = make_model(SkipConfig())
        before = {name: value.clone() for name, value in model.state_dict().items()}
        states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
        plans.append(search(model, Experiment(task, *parts, TWO, SEARCH, TRAIN), keep_adapters=False))
        assert torch.equal(torch.get_rng_state(), states[0])
        assert random.getstate() == states[1]
        assert np.random.get_state()[1].tolist() == states[2]
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert plans[0].skipped == plans[1].skipped
    assert plans[0].preferences == plans[1].preferences
    assert any(plans[0].preferences.values())


def test_accumulation_gives_the_same_plan(make_model, task, parts) -> None:
    config = SearchConfig(max_steps=4, interval=2, candidates=3, reward_batch_size=8)
    plans = [
        search(make_model(SkipConfig()), Experiment(task, *parts, TWO, config, training))
        for training in (TRAIN, TrainConfig(batch_size=2, gradient_accumulation=4, learning_rate=1e-3))
    ]
    assert plans[0].skipped == plans[1].skipped
    assert [r.candidates for r in plans[0].report.rounds] == [r.candidates for r in plans[1].report.rounds]


def test_micro_batches_of_uneven_size_are_one_batch(make_model, task, parts) -> None:
    """21 records: the last step of an epoch has 5, which are 4 and 1 in micro-batches of 4."""
    trained = []
    for config in (TRAIN, TrainConfig(batch_size=4, gradient_accumulation=2, learning_rate=1e-3)):
        model = make_model(SkipConfig())
        log = fit(model, Experiment(task, parts[0][:21], training=config.replace(max_steps=6)))
        trained.append((trained_state(model), [entry.loss for entry in log.history]))
    assert trained[0][1] == pytest.approx(trained[1][1], rel=1e-4)
    for name, value in trained[0][0].items():
        torch.testing.assert_close(trained[1][0][name], value, rtol=1e-3, atol=1e-5)


def test_a_search_goes_on_with_another_split_of_its_batch(make_model, task, parts, tmp_path) -> None:
    split = TrainConfig(batch_size=4, gradient_accumulation=2, learning_rate=1e-3)
    whole = search(make_model(SkipConfig()), Experiment(task, *parts, TWO, SEARCH, TRAIN), tmp_path)
    again = search(make_model(SkipConfig()), Experiment(task, *parts, TWO, SEARCH, split), tmp_path)
    assert again.report.steps == whole.report.steps == 9  # there was nothing left to do
    assert again.report.rounds == whole.report.rounds
    each = SEARCH.replace(draw="micro_batch")
    search(make_model(SkipConfig()), Experiment(task, *parts, TWO, each, split), tmp_path / "each")
    with pytest.raises(InputError, match=r"gradient_accumulation: 1, but this search began with 2"):
        search(make_model(SkipConfig()), Experiment(task, *parts, TWO, each, TRAIN), tmp_path / "each")


def test_nan_stops_the_training(make_model, task, parts) -> None:
    model = make_model(SkipConfig())
    with torch.no_grad():
        model.classifier[0].weight[0, 0] = float("nan")
    with pytest.raises(RunError, match="the loss is nan at step 1"):
        fit(model, Experiment(task, parts[0], training=TrainConfig(max_steps=2, batch_size=8)))


def test_shared_images_and_nothing_to_skip(make_model, task, parts) -> None:
    with pytest.raises(InputError, match="share 12 images"):
        search(make_model(SkipConfig()), Experiment(task, parts[0], parts[0], TWO, SEARCH, TRAIN))
    nothing = Experiment(task, *parts, Budget(num_skip=0), SEARCH, TRAIN)
    assert search(make_model(SkipConfig()), nothing).strategy == "none"
    with pytest.raises(InputError, match="the search needs a budget"):
        search(make_model(SkipConfig()), Experiment(task, *parts))


def test_policy_draws_distinct_candidates_from_its_own_generator() -> None:
    policy, state = policy_of(3), torch.get_rng_state()
    drawn = policy.draw_distinct(15, step=0)
    assert len(set(drawn)) == 15
    assert drawn == policy_of(3).draw_distinct(15, step=0)
    assert torch.equal(state, torch.get_rng_state())
    with pytest.raises(InputError, match="there are only 15"):
        policy_of(3, candidates=16).check()


def test_standardized_reward_ignores_the_scale_of_the_loss() -> None:
    small, large = Standardized(), Standardized()
    for losses in ([1.0, 2.0, 4.0], [3.0, 1.0, 1.5]):
        assert small(losses) == pytest.approx(large([800 * loss for loss in losses]))


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_finds_a_plan_and_says_what_it_took(name: str, make_model, task, parts) -> None:
    config = SEARCH.replace(strategy=name, batches=2)
    plans = [search(make_model(SkipConfig()), Experiment(task, *parts, TWO, config, TRAIN)) for _ in range(2)]
    plan = plans[0]
    assert plan.strategy == name
    assert len(plan.skipped) == 2
    assert plan.skipped == plans[1].skipped
    assert plan.preferences == plans[1].preferences
    if STRATEGIES[name].trains:
        assert plan.steps == 9
        took = plan.report.comparisons
        assert took.subnetworks > 0
        assert took.examples == 8 * STRATEGIES[name].batch_share * took.subnetworks
        assert set(plan.preferences) == set(plan.blocks)
    else:
        assert plan.steps == 0


def test_the_table_and_the_configuration_know_the_same_strategies() -> None:
    assert set(STRATEGIES) == set(get_args(StrategyName))


def test_positions(make_model, task, parts) -> None:
    found = {}
    for name in ("first", "last", "even"):
        config = SearchConfig(strategy=name)
        found[name] = search(make_model(SkipConfig()), Experiment(task, *parts, TWO, config, TRAIN)).skipped
    assert found == {"first": ("0", "1"), "last": ("2", "3"), "even": ("1", "3")}


def test_the_search_is_the_first_part_of_the_training(make_model, task, parts) -> None:
    model, training = make_model(SkipConfig()), TRAIN.replace(max_steps=12, warmup_ratio=0.25)
    experiment = Experiment(task, *parts, TWO, SEARCH, training)
    plan = search(model, experiment)
    assert (plan.steps, plan.report.training_steps) == (9, 12)
    assert fit(model, experiment, plan, done=plan.steps).steps == 3
    with pytest.raises(InputError, match="the search took 12 steps and the training has 12 in all"):
        fit(model, experiment, plan, done=12)


def test_the_folder_of_a_search_is_not_that_of_a_training_of_its_own(make_model, task, parts, tmp_path) -> None:
    """Where the search ended, its checkpoint would end such a training before its first step."""
    model, training = make_model(SkipConfig()), TRAIN.replace(max_steps=12)
    experiment = Experiment(task, *parts, TWO, SEARCH, training)
    plan = search(model, experiment, folder=tmp_path)
    for _ in range(2):
        with pytest.raises(
            InputError, match=r"began with a search; give done=plan\.steps to go on with it, or another"
        ):
            fit(model, experiment, plan, folder=tmp_path)
        assert fit(model, experiment, plan, folder=tmp_path, done=plan.steps).steps == 12 - plan.steps
    assert fit(model, experiment, plan, folder=tmp_path / "own").steps == 12


@pytest.mark.parametrize("share", [0.05, 0.1])
@pytest.mark.parametrize("reward_batch", [16, 64])
def test_comparisons_cost_what_they_may(share: float, reward_batch: int) -> None:
    config, training = SearchConfig(cost=share, strategy="policy"), TrainConfig(max_steps=1000, batch_size=32)
    times = schedule(config, TrainingLength.of(training, 10_000), reward_batch)
    assert (times.steps, times.whole, times.warmup) == (300, 1000, 100)
    rounds = times.steps // times.interval - times.warmup // times.interval
    assert rounds == pytest.approx(times.rounds, rel=0.15)
    assert 0.9 < times.rounds * config.candidates * reward_batch / (share * 2 * 1000 * 32) <= 1
    assert schedule(SearchConfig(cost=share), TrainingLength.of(training, 10_000), reward_batch).rounds == times.rounds


@pytest.mark.parametrize(
    ("whole", "blocks", "tokens"), [(1000, 50, 100), (400, 20, 64), (100, 8, 30), (20, 6, 6), (2, 1, 1)]
)
def test_strategies_that_look_once_leave_most_of_the_training_to_the_plan(whole: int, blocks: int, tokens: int) -> None:
    training = TrainConfig(max_steps=whole)
    assert schedule(SearchConfig(), TrainingLength.of(training, 10_000), 16).steps == blocks
    assert schedule(SearchConfig(tokens="merge"), TrainingLength.of(training, 10_000), 16).steps == tokens
    assert schedule(SearchConfig(epochs=0.1), TrainingLength.of(training, 320), 16).steps == 1


def test_the_papers_times() -> None:
    training = TrainConfig(epochs=10, batch_size=8, gradient_accumulation=4)
    times = schedule(SearchConfig.paper(), TrainingLength.of(training, 320), 8)
    assert (times.steps, times.warmup, times.interval) == (30, 40, 10)
