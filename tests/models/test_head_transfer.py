"""A head that is trained already keeps its answers, or its rows go to the answers of the same name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import ViltConfig

from command_line import skiptune
from conftest import COLOURS, write_recipe
from original_checkpoints import needs_golden, state_of, write_checkpoint
from skiptune import Vqa, load, load_model
from skiptune.core.progress import say_once
from skiptune.families.meter.processing import byte_tokenizer
from skiptune.models.embedded import embedded_path
from skiptune.models.head_transfer import label_names, rows_by_name


def changes(*answers: str) -> dict[str, object]:
    return {"num_labels": len(answers), "id2label": dict(enumerate(answers))}


def test_names_that_are_none() -> None:
    assert label_names(ViltConfig()) == ()
    assert label_names(ViltConfig(id2label={1: "no", 0: "yes"})) == ("yes", "no")


def test_rows_go_by_name_the_exact_one_first() -> None:
    assert rows_by_name(["Yes", "no", "yes", "No"], ["yes", "NO", "cat", "No"]) == {0: 2, 1: 1, 3: 3}


@pytest.fixture
def trained(task: Vqa, tmp_path: Path) -> Path:
    """A head that knows blue, green, red and yellow, with the label as every weight of a row."""
    model = load_model("vilt-tiny", task.model_class, **task.model_changes())
    with torch.no_grad():
        model.classifier[3].weight.copy_(torch.arange(4.0)[:, None].expand_as(model.classifier[3].weight))
        model.classifier[3].bias.copy_(torch.arange(4.0))
    model.save_pretrained(tmp_path / "trained")
    return tmp_path / "trained"


@pytest.mark.parametrize(
    ("answers", "rows", "said"),
    [
        (("blue", "green", "red", "yellow"), [0, 1, 2, 3], ""),
        (("yellow", "Red", "green", "blue"), [3, 2, 1, 0], "its head knows 4 of 4 answers\n"),
        (("pink", "red", "white", "blue"), [None, 2, None, 0], "knows 2 of 4 answers; it starts fresh for the other 2"),
        (("red", "blue"), [2, 0], "its head knows 2 of 2 answers\n"),
        (("a", "b", "c", "d", "green"), [None] * 4 + [1], "knows 1 of 5 answers; it starts fresh for the other 4"),
    ],
)
def test_rows_of_a_trained_head(answers, rows, said: str, trained: Path, task: Vqa, capfd) -> None:
    say_once.cache_clear()
    first, again = (load_model(str(trained), task.model_class, seed=5, **changes(*answers)) for _ in range(2))
    layer = first.classifier[3]
    for weight, bias, row in zip(layer.weight, layer.bias, rows, strict=True):
        if row is None:
            assert bias == 0
            assert 0.01 < weight.std() < 0.03
        else:
            assert torch.equal(weight, torch.full_like(weight, row))
            assert bias == row
    assert torch.equal(layer.weight, again.classifier[3].weight)
    assert label_names(first.config) == answers
    body = load_model(str(trained), task.model_class)
    assert torch.equal(first.classifier[0].weight, body.classifier[0].weight)
    printed = " ".join(capfd.readouterr().err.split()) + "\n"
    assert (said in printed and printed.count("its head") == 1) if said else printed == "\n"


@pytest.mark.parametrize(("count", "said"), [(4, "taken in the order of the data"), (3, "fresh for 3 answers")])
def test_labels_without_names_are_told_of(count: int, said: str, trained: Path, task: Vqa, capfd) -> None:
    say_once.cache_clear()
    config = json.loads((trained / "config.json").read_text())
    names = {"id2label": {str(k): f"LABEL_{k}" for k in range(4)}, "label2id": {f"LABEL_{k}": k for k in range(4)}}
    (trained / "config.json").write_text(json.dumps({**config, **names}))
    model = load_model(str(trained), task.model_class, **changes(*list(COLOURS)[:count]))
    assert said in " ".join(capfd.readouterr().err.split())
    assert (model.classifier[3].bias.tolist() == [0, 1, 2, 3]) == (count == 4)


@needs_golden
@pytest.mark.parametrize("family", ["vilt", pytest.param("meter", marks=pytest.mark.slow)])
@pytest.mark.parametrize("covered", [pytest.param(True, marks=pytest.mark.slow), False])
def test_a_converted_head_goes_through_a_run(family: str, covered: bool, data_folder: Path, tmp_path: Path) -> None:
    """Covered answers keep the list and, all but what was trained, the head; others take their rows along."""
    state = state_of(family, heads=("vqa",))
    count = len(state["vqa_classifier.3.weight"])
    known = ["Yellow", "no", "green", "blue", *map(str, range(count))][:count]
    if covered:
        known[0], known[1] = "yellow", "red"
    (tmp_path / "answers.json").write_text(json.dumps(known))
    words = embedded_path("vilt-scenes")
    if family == "meter":
        words = tmp_path / "words"
        byte_tokenizer(99).save_pretrained(words)
    path, model = write_checkpoint(tmp_path / "vqa.ckpt", family, state), tmp_path / "model"
    options = ("--tokenizer", str(words), "--answers", str(tmp_path / "answers.json"))
    done = skiptune("convert", str(path), str(model), *options)
    assert done.returncode == 0, done.stderr
    recipe = write_recipe(
        tmp_path / "run.yaml",
        data_folder,
        output=str(tmp_path / "out"),
        model=str(model),
        search={"max_steps": 2, "interval": 1, "candidates": 2},
        train={"max_steps": 3, "batch_size": 4, "learning_rate": 0.0},
    )
    done = skiptune("run", str(recipe))
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stderr.split())
    slim = load(tmp_path / "out" / "slim")
    layer, original = slim.classifier[3], load_model(str(model), "vqa").classifier[3]
    if covered:
        assert f"its head knows all answers of the data and keeps its own {count}" in said
        assert label_names(slim.config) == tuple(known)
        assert torch.equal(layer.weight, original.weight)
    else:
        assert said.count("its head knows 3 of 4 answers; it starts fresh for the other 1") == 1
        assert label_names(slim.config) == ("blue", "green", "red", "yellow")
        assert torch.equal(layer.weight[[0, 1, 3]], original.weight[[3, 2, 0]])
        assert not torch.equal(layer.weight[2], original.weight[1])
