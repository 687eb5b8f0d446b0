"""What another machine lacks of a run's model and data is named before any work."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from conftest import write_questions
from skiptune import InputError, Run, read_recipe
from skiptune.running import same_inputs
from skiptune.running.same_inputs import SameInputs, found_anywhere
from skiptune.spreading.cluster import Cluster
from skiptune.spreading.node import Node


@pytest.fixture
def inputs(tiny_recipe: Callable[..., Path], base_folder: Path, tmp_path: Path) -> SameInputs:
    """Of a run with data of its own, which a test may change, sent to another machine and back."""
    (tmp_path / "images").mkdir()
    write_questions(tmp_path / "train.jsonl", tmp_path / "images", range(8))
    data = {"train": str(tmp_path / "train.jsonl"), "images": str(tmp_path / "images"), "test": None}
    run = Run(read_recipe(tiny_recipe(data=data, model=str(base_folder))))
    return cast(SameInputs, pickle.loads(pickle.dumps(SameInputs.of(run))))


def change_rows(folder: Path) -> None:
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    rows[0]["question"] = "which colour?"
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_the_same_is_the_same(inputs: SameInputs) -> None:
    assert inputs.differences() == []


def test_rows_files_and_pictures_are_named(inputs: SameInputs, tmp_path: Path) -> None:
    change_rows(tmp_path)
    assert f"{tmp_path / 'train.jsonl'} is changed (SHA-256) there" in inputs.differences()
    (tmp_path / "images" / "3.png").unlink()
    found = "\n".join(inputs.differences())
    assert "on the machine that asks" in found
    assert "left out there: " in found
    assert "3.png" in found
    (tmp_path / "train.jsonl").unlink()
    assert [str(tmp_path / "train.jsonl") in line for line in inputs.differences()] == [True]


def test_all_nodes_are_told_at_once(inputs: SameInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [Node(key, f"{key} (10.0.0.1)", 1, 0) for key in ("a", "b")]

    def on_each(self: Cluster, work: Callable[[SameInputs], list[str]], given: SameInputs) -> Any:
        return [(node, work(given)) for node in nodes]

    monkeypatch.setattr(Cluster, "on_each", on_each)
    checked = inputs.check(Cluster("auto"))
    assert checked.checked == {"a", "b"}
    monkeypatch.setattr(same_inputs, "key_here", lambda: "a")
    change_rows(tmp_path)
    checked.check_here()  # looked at already
    with pytest.raises(InputError, match=r"^--ray: the nodes need the same model and data") as caught:
        inputs.check(Cluster("auto"))
    assert [line[:14] for line in str(caught.value).splitlines()[1:]] == ["  - a (10.0.0."] * 2 + ["  - b (10.0.0."] * 2
    monkeypatch.setattr(same_inputs, "key_here", lambda: "c")
    with pytest.raises(InputError, match="the model or the data are others there: "):
        checked.check_here()


def test_a_relative_model_is_found_from_anywhere(
    tiny_recipe: Callable[..., Path], base_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(base_folder.parent)
    recipe = read_recipe(tiny_recipe(model=base_folder.name))
    assert found_anywhere(recipe).model == str(base_folder)
    assert found_anywhere(recipe.replace(model="vilt-tiny")).model == "vilt-tiny"
