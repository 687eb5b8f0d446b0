"""Recipes: the released settings by family and task, and the sections of tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import draw_square
from skiptune import InputError, read_recipe
from skiptune.families.registry import families
from skiptune.running.recipe import with_preset
from skiptune.running.run import Run

FAMILY = {family.name: family for family in families()}
ADAPTERS = {"block_adapters": 5, "poolers": 5}
#: Recipe → learning rate, its factors, and examples of an optimizer step (METHOD: "Released settings").
RELEASED: dict[str, tuple[float, dict[str, float], int]] = {
    "vilt-vqav2": (1e-4, {"head": 10}, 256),
    "vilt-nlvr2": (5e-4, {}, 128),
    "vilt-flickr30k": (5e-4, {}, 256),
    "meter-vqav2": (2.5e-5, {**ADAPTERS, "head": 50}, 512),
    "meter-nlvr2": (5e-5, {**ADAPTERS, "head": 10}, 256),
    "meter-flickr30k": (5e-5, ADAPTERS, 512),
}


def write(path: Path, **content: Any) -> Path:
    path.write_text(yaml.safe_dump({"output": str(path.parent / "out"), **content}))
    return path


@pytest.mark.parametrize("name", RELEASED)
def test_paper_recipes_have_the_released_numbers(name: str) -> None:
    read = read_recipe(f"paper/{name}")
    recipe = with_preset(read, FAMILY[name.partition("-")[0]])
    rate, factors, batch = RELEASED[name]
    training = recipe.train
    assert (training.learning_rate, training.learning_rate_factors) == (rate, factors)
    assert training.batch_size * training.gradient_accumulation == batch
    assert (training.epochs, training.weight_decay, training.warmup_ratio, training.workers) == (10, 0.01, 0.1, 8)
    assert (recipe.adapters.init, recipe.adapters.block_width, recipe.adapters.skip_width) == ("paper", 96, None)
    assert (recipe.search.reward, recipe.search.draw, recipe.start) == ("exp_loss", "micro_batch", "pretrained")
    assert recipe.budget.num_skip == 4
    if name == "meter-flickr30k":
        assert recipe.task_options == {"false_texts": 15, "matching_loss": True, "shortlist": 32}


@pytest.mark.parametrize("task", ["vqa", "reasoning", "retrieval", "entailment"])
def test_every_family_has_a_preset_for_every_task(task: str, tmp_path: Path) -> None:
    data = {"name": "jsonl", "train": "t.jsonl", "images": "i"}
    recipe = read_recipe(write(tmp_path / "r.yaml", preset="paper", task=task, data=data, train={"epochs": 2}))
    rates = {name: with_preset(recipe, family).train for name, family in FAMILY.items() if family.released}
    assert rates["bridgetower"] == rates["meter"] != rates["vilt"]
    assert all(training.epochs == 2 and training.learning_rate < 1e-3 for training in rates.values())
    with pytest.raises(InputError, match=f"there is no released run of {task} with clip"):
        with_preset(recipe, FAMILY["clip"])


def test_what_a_recipe_says_goes_before_the_preset(tmp_path: Path) -> None:
    path = write(tmp_path / "r.yaml", preset="paper", train={"learning_rate": 0.5, "learning_rate_factors": {}})
    training = with_preset(read_recipe(path, ["train.batch_size=3"]), FAMILY["meter"]).train
    assert (training.learning_rate, training.learning_rate_factors) == (0.5, {})
    assert (training.batch_size, training.gradient_accumulation) == (3, 170)  # 510 examples a step, of 512
    plain = read_recipe(write(tmp_path / "default.yaml"))
    assert with_preset(plain) == plain


def test_a_run_keeps_the_complete_recipe(tmp_path: Path) -> None:
    """The family is that of the model; reading it back changes nothing."""
    (tmp_path / "images").mkdir()
    rows = [{"image": f"{k}.png", "captions": [draw_square(tmp_path / "images" / f"{k}.png", k)]} for k in range(12)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = {"name": "jsonl", "train": "train.jsonl", "images": "images", "validation_share": 0.25}
    changes = {"retrieval": {"false_texts": 2, "matching_loss": True, "shortlist": 20}, "budget": {"num_skip": 1}}
    path = write(tmp_path / "r.yaml", preset="paper", model="meter-tiny", task="retrieval", data=data, **changes)
    run = Run(read_recipe(path))
    run.check()
    kept = json.loads((tmp_path / "out" / "recipe.json").read_text())
    assert kept["train"]["learning_rate"] == 5e-5
    assert kept["train"]["learning_rate_factors"] == ADAPTERS
    assert kept["retrieval"] == changes["retrieval"]
    assert run.task.collate(run.data.train[:1])["input_ids"].shape[1] == 3
    assert run.fresh_model().matching is not None
    again = Run(read_recipe(tmp_path / "out" / "recipe.json", output=str(tmp_path / "out")))
    again.check()
    assert again.recipe.to_dict() == run.recipe.to_dict()


def test_problems_of_a_task_section_are_told_with_the_others(tmp_path: Path) -> None:
    bad = {"false_texts": 0, "matching_loss": "yes", "false_text": 3, "shortlist": 9}
    path = write(tmp_path / "r.yaml", task="retrieval", retrieval=bad, train={"epochs": -1})
    with pytest.raises(InputError) as refusal:
        read_recipe(path)
    for said in (
        "retrieval.false_texts: 0 is not a whole number in [1, 1000]",
        "retrieval.shortlist: 9 is not a whole number of at least 10, or null",
        "retrieval.matching_loss: 'yes' is not true or false",
        "retrieval.false_text: unknown field; did you mean 'false_texts'?",
        "train.epochs: -1",
    ):
        assert said in str(refusal.value)
    with pytest.raises(InputError, match="retrieval: settings of another task than 'vqa'; leave them out"):
        read_recipe(write(tmp_path / "r.yaml", retrieval={"false_texts": 3}))


def test_sections_that_would_read_as_none_are_not_null(tmp_path: Path) -> None:
    sections = ("bench", "baselines", "data", "adapters", "budget", "search", "train", "compare", "export")
    with pytest.raises(InputError) as refusal:
        read_recipe(write(tmp_path / "r.yaml", **dict.fromkeys(sections)))
    assert "bench: null; a run always times its models; leave bench out" in str(refusal.value)
    assert "baselines: null; write [] to train none" in str(refusal.value)
    assert [name for name in sections if f"{name}: null; " not in str(refusal.value)] == []
    with pytest.raises(InputError, match="bench: null"):
        read_recipe(write(tmp_path / "r.yaml"), ["bench=null"])


def test_a_family_without_a_matching_head_is_refused_before_any_work(tmp_path: Path) -> None:
    draw_square(tmp_path / "0.png", 0)
    draw_square(tmp_path / "1.png", 1)
    (tmp_path / "t.jsonl").write_text("".join(f'{{"image": "{k}.png", "captions": ["a {k}"]}}\n' for k in range(2)))
    data = {"name": "jsonl", "train": "t.jsonl", "images": ".", "validation_share": 0.5}
    path = write(
        tmp_path / "r.yaml",
        model="vilt-tiny",
        task="retrieval",
        data=data,
        retrieval={"matching_loss": True},
        train={"epochs": 9, "batch_size": 1},
    )
    with pytest.raises(InputError, match="vilt's ranking model has no head"):
        Run(read_recipe(path)).check()


@pytest.mark.parametrize(("written", "meant"), [("1e-3", 1e-3), ("2E+1", 20.0), ("1.5e1", 15.0), ("5", 5)])
def test_numbers_are_read_as_people_write_them(written: str, meant: float, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(f"output: out\nmodel: vilt-tiny\ntrain: {{learning_rate: {written}}}\n")
    assert read_recipe(path).train.learning_rate == meant
    assert read_recipe(path, [f"train.learning_rate={written}"]).train.learning_rate == meant
