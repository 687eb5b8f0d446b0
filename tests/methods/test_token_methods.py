"""Token reductions of papers: their forms, that they meet the budget and no more, what is trained with all tokens."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from torch import nn

from conftest import MakeModel
from skiptune import Budget, Experiment, Record, SkipConfig, TokenSchedule, TrainConfig, Vqa
from skiptune.costs.example_inputs import example_inputs
from skiptune.costs.macs import count_macs
from skiptune.inserting.selection import chosen_tokens
from skiptune.methods.method import Setup, TrainingContext
from skiptune.methods.registry import METHODS
from skiptune.methods.token_methods import TokenMethod
from skiptune.methods.token_shapes import FastV, PuMer, ToMe, VisionZip
from skiptune.methods.train_method import train_method
from skiptune.tasks.input_size import input_size
from two_streams import make

Parts = tuple[list[Record], list[Record]]
TWELVE = tuple(map(str, range(12)))
TWO_STREAMS = (*(f"clip.{number}" for number in range(12)), *(f"image.{number}" for number in range(6)))


def context_of(task: Vqa, parts: Parts, budget: Budget) -> TrainingContext:
    training = TrainConfig(max_steps=2, batch_size=4, save_steps=2)
    experiment = Experiment(task, *parts, budget, training=training)
    return TrainingContext(lambda: None, experiment, "search", Path(), nullcontext, Path())  # type: ignore[arg-type,return-value]


def prepared(name: str, model: nn.Module) -> tuple[TokenMethod, nn.Module]:
    method = METHODS[name]
    assert isinstance(method, TokenMethod)
    return method, method.prepare(model, Setup(SkipConfig(), 3))


def test_forms_are_those_of_the_papers() -> None:
    tome = ToMe().shares(TWELVE, 0.05)
    assert list(tome) == list(TWELVE[1:])
    assert [before - after for before, after in pairwise((1.0, *tome.values()))] == pytest.approx([0.05] * 11)
    assert list(ToMe().shares(TWELVE[:4], 0.9).values()) == [0.5, 0.25, 0.125]  # a matching merges half of them

    assert PuMer().shares(TWELVE, 0.37) == pytest.approx({"3": 0.63, "6": 0.63**2, "9": 0.63**3})
    assert list(PuMer().shares(TWO_STREAMS, 0.2)) == ["image.1", "image.3", "image.5"]
    assert FastV().shares(TWELVE, 0.5) == {"2": 0.5}
    assert VisionZip().shares(TWELVE, 0.9) == pytest.approx({"0": 0.1})
    assert "text" in (PuMer().unusable(("clip.0", "clip.1")) or "")
    assert "layers" in (FastV().unusable(("0", "1")) or "")


@pytest.mark.parametrize("name", ["tome-lora", "pumer"])
def test_a_schedule_meets_the_budget_and_no_more(name: str, task: Vqa, parts: Parts, make_model: MakeModel) -> None:
    method, model = prepared(name, make_model())
    context = context_of(task, parts, Budget(macs=-0.15))
    assert method.unmet(model, context.experiment) is None
    plan = method.find_plan(model, context)
    assert plan.skipped == ()
    assert chosen_tokens(model) is None
    inputs = example_inputs(model, *input_size(task, parts[1]))
    reached = count_macs(method.slim(model, plan), inputs) / count_macs(make_model(), inputs) - 1
    assert -0.19 < reached <= -0.15


@pytest.mark.parametrize("name", ["tome", "tome-lora"])
def test_untrained_means_that_the_training_has_all_tokens(
    name: str, task: Vqa, parts: Parts, make_model: MakeModel, tmp_path: Path
) -> None:
    method, model = prepared(name, make_model())
    context = replace(context_of(task, parts, Budget(macs=-0.15)), checkpoints=tmp_path)
    seen: list[TokenSchedule | None] = []
    model.register_forward_hook(
        lambda trained, *given: seen.append(chosen_tokens(trained)) if trained.training else None
    )
    trained = train_method(method, model, context)
    assert trained.plan.tokens is not None
    assert chosen_tokens(model) == trained.plan.tokens
    assert seen == [None if name == "tome" else trained.plan.tokens] * 2


def test_what_cannot_be_met_or_used_is_told(task: Vqa, parts: Parts, make_model: MakeModel) -> None:
    method, model = prepared("pumer", make_model())
    told = method.unmet(model, context_of(task, parts, Budget(macs=-0.9)).experiment)
    assert told is not None
    assert "budget.macs: -0.9: all it can reach is -0." in told
    told = method.unmet(model, context_of(task, parts, Budget(num_skip=2)).experiment)
    assert told is not None
    assert "needs a budget of them (macs)" in told
    assert METHODS["tome"].unusable(make("clip")) == "image tokens of clip cannot become fewer"


@pytest.mark.slow
def test_random_mixtures_and_searches_of_tokens_alone_keep_their_schedule(
    task: Vqa, parts: Parts, make_model: MakeModel, tmp_path: Path
) -> None:
    context = context_of(task, parts, Budget(macs=-0.15))
    mixed = context.experiment.search.replace(tokens="merge", max_steps=1)
    context = replace(context, experiment=replace(context.experiment, search=mixed), folder=tmp_path / "choice")
    model = make_model(SkipConfig(block_adapter="lora"))
    uniform = METHODS["uniform-lora"]
    assert uniform.unmet(model, context.experiment) is None
    plan = uniform.find_plan(model, replace(context, checkpoints=tmp_path / "uniform"))
    assert plan.tokens is not None
    assert plan.skipped == ()
    alone = replace(context.experiment, budget=Budget(macs=-0.9))
    assert "cannot meet the budget" in (uniform.unmet(model, alone) or "")
    seen = []
    for seed in range(4):
        training = context.experiment.training.replace(seed=seed)
        drawn = replace(context, experiment=replace(context.experiment, training=training))
        seen.append(METHODS["random-lora"].find_plan(model, drawn))
    assert any(plan.tokens is not None for plan in seen)
    assert all(plan.tokens is not None or plan.skipped for plan in seen)
