"""The search over blocks and token schedules: plans meet the budget by another count, whatever is mixed."""

from __future__ import annotations

import pytest

from skiptune import Budget, Experiment, InputError, Plan, SearchConfig, SkipConfig, TrainConfig, search
from skiptune.costs.example_inputs import example_inputs
from skiptune.costs.macs import count_blocks
from skiptune.tasks.input_size import input_size

SEARCH = SearchConfig(max_steps=2, candidates=4, reward_batch_size=4, cost=0.5, tokens="merge")
TRAIN = TrainConfig(batch_size=4, max_steps=12, learning_rate=1e-3)
#: By how much, at most, a plan is below its budget: one of the nine patches of a picture less.
ONE_PATCH = 0.07


def change(model, plan: Plan, task, records) -> float:
    """Of the operations by a plan, counted from nothing."""
    costs = count_blocks(model, example_inputs(model, *input_size(task, records)), tokens=plan.tokens)
    return costs.with_skipped(plan.skipped) / costs.original - 1


@pytest.mark.parametrize(
    ("config", "macs"),
    [
        (SEARCH, -0.5),
        (SEARCH.replace(mixture="tokens", tokens="prune"), -0.25),
        (SEARCH.replace(mixture="uniform", tokens="both"), -0.25),
        (SEARCH.replace(strategy="random"), -0.5),
    ],
    ids=["bandit", "tokens", "uniform", "random"],
)
def test_the_plan_meets_the_budget_and_no_more(make_model, task, parts, config, macs) -> None:
    model = make_model(SkipConfig())
    plan = search(model, Experiment(task, *parts, Budget(macs=macs), config, TRAIN))
    reached = change(model, plan, task, parts[1])
    assert reached <= macs + 1e-6
    if plan.tokens is not None:
        assert plan.tokens.way == config.tokens
        assert reached > macs - ONE_PATCH
    assert plan.skipped or plan.tokens
    assert config.mixture == "both" or not plan.skipped
    assert Plan.from_dict(plan.to_dict()).tokens == plan.tokens


def test_what_cannot_work_is_refused_before_any_training(make_model, task, parts) -> None:
    with pytest.raises(InputError, match=r"(?s)strategy: greedy.*nested: true.*growing: true"):
        SearchConfig(tokens="merge", strategy="greedy", nested=True, growing=True)
    with pytest.raises(InputError, match=r"mixture: uniform: of no use without tokens"):
        SearchConfig(mixture="uniform")
    model = make_model(SkipConfig())
    for budget, config, message in (
        (Budget(num_skip=2), SEARCH, "num_skip: 2: a number of blocks says nothing about tokens"),
        (Budget(macs=-0.98), SEARCH, r"macs: -0.98 cannot be met; skipping 3 of 4 blocks gives -0\.\d+, with 25%"),
        (Budget(macs=-0.9), SEARCH.replace(mixture="uniform"), "fewer image tokens at these places cannot meet"),
    ):
        with pytest.raises(InputError, match=message):
            search(model, Experiment(task, *parts, budget, config, TRAIN))
