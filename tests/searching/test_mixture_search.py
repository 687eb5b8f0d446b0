"""The search over blocks and token schedules in a training: plans meet the budget by another count, resumes are
bit-equal."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from test_skip_search import KillAt, KilledError, trainer_of

from skiptune import Budget, Experiment, InputError, Plan, SearchConfig, SkipConfig, TokenSchedule, TrainConfig, search
from skiptune.costs.example_inputs import example_inputs
from skiptune.costs.macs import count_blocks, plan_counter
from skiptune.costs.token_costs import Places, TokenCosts, count_tokens
from skiptune.inserting.selection import blocks_of, token_places
from skiptune.searching.just_met import counted_just_met
from skiptune.searching.search import prepare_search
from skiptune.tasks.input_size import input_size
from skiptune.training.trained_state import trained_state

SEARCH = SearchConfig(max_steps=5, candidates=4, reward_batch_size=4, cost=0.5, tokens="prune")
TRAIN = TrainConfig(batch_size=4, max_steps=12, learning_rate=1e-3)
BUDGET = Budget(macs=-0.6)  # more than three of the four blocks save
#: By how much, at most, a plan is below its budget: one of the nine patches of a picture less.
ONE_PATCH = 0.07


@pytest.fixture(scope="module")
def found(task, parts, tmp_path_factory):
    """A plan of the callback, what it trained, and where."""
    return _searched(task, parts, tmp_path_factory.mktemp("whole"))


def _searched(task, parts, folder: Path, *kills: int):
    from skiptune import insert, load_model

    for kill in (*kills, None):
        model = load_model("vilt-tiny", task.model_class, quiet=True, **task.model_changes())
        insert(model, SkipConfig(block_adapter="lora"))
        trainer, callback = trainer_of(model, task, parts, folder, search=SEARCH, budget=BUDGET)
        if kill is not None:
            trainer.add_callback(KillAt(kill))
        try:
            trainer.train(resume_from_checkpoint=bool(list(folder.glob("checkpoint-*"))))
        except KilledError:
            assert kill is not None
    return callback, model


def test_the_plan_meets_the_budget_and_no_more(found) -> None:
    callback, model = found
    plan = callback.plan
    assert plan.tokens is not None
    assert plan.tokens.way == "prune"
    costs = count_blocks(model, callback.evaluator.held_out.typical(), tokens=plan.tokens)
    assert -0.6 - ONE_PATCH < costs.with_skipped(plan.skipped) / costs.original - 1 <= -0.6 + 1e-6
    assert plan.tokens.keep.keys() in [one.keep.keys() for one in plan.report.schedules]
    assert Plan.from_dict(plan.to_dict()) == plan
    assert f"with {len(plan.report.schedules)} token schedules" in str(plan)
    tried = {candidate[-1] for entry in plan.report.rounds for candidate in entry.candidates}
    assert max(tried) >= len(plan.blocks)  # a number of a schedule


def test_a_killed_search_ends_bit_equal(found, task, parts, tmp_path: Path) -> None:
    (whole, model), (again, other) = found, _searched(task, parts, tmp_path, 3)
    assert (again.plan.skipped, again.plan.tokens) == (whole.plan.skipped, whole.plan.tokens)
    assert again.plan.preferences == whole.plan.preferences
    assert [entry.losses for entry in again.plan.report.rounds] == [entry.losses for entry in whole.plan.report.rounds]
    state = trained_state(other)
    assert all(torch.equal(value, state[name]) for name, value in trained_state(model).items())


def test_costs_of_any_schedule_are_those_that_are_counted(make_model, task, parts) -> None:
    model = make_model(SkipConfig())
    inputs = example_inputs(model, (160, 160), 8)  # 100 patches
    costs = count_tokens(model, inputs, Places(token_places(model)), "merge")
    assert list(costs.after.values()) == [1, 2, 3, 4]
    schedule = TokenSchedule(keep={"1": 0.75, "3": 0.25})
    wanted, read = count_blocks(model, inputs, tokens=schedule), costs.at(schedule)
    assert read.original == wanted.original
    assert read.savings == pytest.approx(wanted.savings, rel=1e-6)
    assert read.adapted == pytest.approx(wanted.adapted, rel=0.02)


def test_costs_of_pooled_tokens_are_those_of_the_grids_that_are_left(make_model, task, parts) -> None:
    model = make_model(SkipConfig())
    inputs = example_inputs(model, (96, 160), 8)  # 6 × 10 patches
    costs = count_tokens(model, inputs, Places(token_places(model)), "pool")
    assert costs.grid == (6, 10)
    assert costs.left(0.5) == 4 * 7 / 60
    assert TokenCosts.from_dict(costs.to_dict(), "costs") == costs
    assert list(costs.after.values()) == [1, 2, 3, 4]
    for keep in ({"1": 0.8, "3": 0.3}, {"0": 0.5}, {"2": 0.2}):
        schedule = TokenSchedule(keep=keep, way="pool")
        wanted, read = count_blocks(model, inputs, tokens=schedule), costs.at(schedule)
        assert read.savings == pytest.approx(wanted.savings, rel=1e-6)
        assert read.adapted == pytest.approx(wanted.adapted, rel=0.02)


@pytest.mark.parametrize("size", [(16, 16), (16, 32), (32, 48)])
def test_costs_of_pooling_an_image_of_few_tokens(make_model, size: tuple[int, int]) -> None:
    """Some shares leave it as many, so that no one schedule tells which places a block comes after."""
    model = make_model(SkipConfig())
    inputs = example_inputs(model, size, 8)
    costs = count_tokens(model, inputs, Places(token_places(model)), "pool")
    assert list(costs.after.values()) == ([0] * 4 if size == (16, 16) else [1, 2, 3, 4])
    for share in (0.9, 0.5, 0.1):
        schedule = TokenSchedule(keep={"1": share}, way="pool")
        wanted, read = count_blocks(model, inputs, tokens=schedule), costs.at(schedule)
        assert read.savings == pytest.approx(wanted.savings, rel=1e-6)
        assert read.adapted == pytest.approx(wanted.adapted, rel=0.02)


def test_a_budget_is_met_with_pooled_tokens(make_model, task, parts, tmp_path: Path) -> None:
    model = make_model(SkipConfig())
    random = SEARCH.replace(strategy="random", tokens="pool")
    plan = search(model, Experiment(task, *parts, BUDGET, random, TRAIN), tmp_path)
    assert plan.tokens is not None
    assert plan.tokens.way == "pool"
    costs = count_blocks(model, example_inputs(model, *input_size(task, parts[1])), tokens=plan.tokens)
    assert costs.with_skipped(plan.skipped) / costs.original - 1 <= -0.6 + 1e-6


def test_a_schedule_that_begins_too_late_for_its_budget_begins_earlier(make_model, task, parts) -> None:
    """Estimates are wrong by a few hundredths for models as tiny as this one."""
    model = make_model(SkipConfig())
    count = partial(plan_counter(model, example_inputs(model, (96, 128), 7)), ())
    most = 0.99 * count(TokenSchedule(keep={"3": 1e-6}))  # less than one token after that place

    def wrong(tokens: TokenSchedule | None) -> float:
        return 0.9 * most if tokens is not None and "3" in tokens.keep else count(tokens)

    late = TokenSchedule(keep={"3": 0.2})
    with pytest.raises(InputError, match="cannot meet the budget"):
        counted_just_met(late, wrong, count, most)
    found = counted_just_met(late, wrong, count, most, tuple(blocks_of(model)))
    assert found is not None
    assert list(found.keep) == ["2"]
    assert 0.9 * most < count(found) <= most


def test_time_is_measured_once(make_model, task, parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def timed(model, inputs, over, way, steps) -> TokenCosts:
        asked.append((over.fewer, way))
        whole = dict.fromkeys("0123", (1.0, 0.6, 0.3))
        after = {name: number + 1 for number, name in enumerate("0123")}
        return TokenCosts(
            places=over.fewer, way=way, original=4.5, savings=whole, rest=(0.5, 0.5, 0.5), after=after, again=0.0
        )

    monkeypatch.setattr("skiptune.searching.budget.time_tokens", timed)
    model = make_model(SkipConfig())
    random = SEARCH.replace(strategy="random")
    experiment = Experiment(task, *parts, Budget(latency=-0.35), random, TRAIN)
    plans = [search(model, experiment, tmp_path) for _ in range(2)]
    assert asked == [(("0", "1", "2", "3"), "prune")]
    assert (plans[0].skipped, plans[0].tokens) == (plans[1].skipped, plans[1].tokens)
    costs = timed(model, None, Places(("0", "1", "2", "3")), "prune", 0)
    assert 0.6 < costs.at(plans[0].tokens).with_skipped(plans[0].skipped) / 4.5 <= 0.65 + 1e-6
    other = Experiment(task, *parts, Budget(latency=-0.35), random.replace(tokens="merge"), TRAIN)
    with pytest.raises(InputError, match=r"not what was timed for this search; edited\?"):
        prepare_search(model, other, tmp_path)


def test_what_cannot_work_is_refused_before_any_training(make_model, task, parts) -> None:
    with pytest.raises(InputError, match=r"(?s)strategy: greedy.*nested: true.*growing: true"):
        SearchConfig(tokens="merge", strategy="greedy", nested=True, growing=True)
    with pytest.raises(InputError, match=r"mixture: uniform: of no use without tokens"):
        SearchConfig(mixture="uniform")
    with pytest.raises(InputError, match="num_skip: 2: a number of blocks says nothing about tokens"):
        search(make_model(SkipConfig()), Experiment(task, *parts, Budget(num_skip=2), SEARCH, TRAIN))
