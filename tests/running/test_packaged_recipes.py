"""Recipes of the package are listed, printed and copied."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Call
from skiptune import read_recipe


def test_recipes_are_listed_and_printed(call: Call) -> None:
    code, out, _ = call("recipes")
    listed = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert code == 0
    assert {"easy-vqa-demo", "daquar", "paper/vilt-vqav2", "default/meter-nlvr2"} <= set(listed)
    code, out, _ = call("recipes", "paper/vilt-vqav2")
    assert code == 0
    assert out.startswith("# skiptune run paper/vilt-vqav2\n")
    assert "did you mean 'daquar'?" in call("recipes", "daqar")[2]


def test_a_copy_reads_data_beside_itself(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "mine" / "rooms.yaml"
    assert call("recipes", "daquar", "--copy", copy)[0] == 0
    assert copy.read_text().startswith(f"# skiptune run {copy}\n")
    assert read_recipe(copy).data.train == str(tmp_path / "mine" / "daquar" / "train.jsonl")
    monkeypatch.chdir(tmp_path)
    assert read_recipe("daquar").data.train == str(tmp_path / "daquar" / "train.jsonl")


def test_nothing_is_overwritten_unless_asked(call: Call, tmp_path: Path) -> None:
    copy = tmp_path / "rooms.yaml"
    copy.write_text("mine")
    assert call("recipes", "daquar", "--copy", copy)[0] == 2
    assert copy.read_text() == "mine"
    assert call("recipes", "daquar", "--copy", copy, "--force")[0] == 0
    assert "is in the way" in call("recipes", "daquar", "--copy", tmp_path, "--force")[2]
    assert call("recipes", "--copy", copy)[0] == call("recipes", "--fields", "--copy", copy)[0] == 2
