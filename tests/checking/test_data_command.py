"""``skiptune data check``: recipes, files and folders, its tables, JSON and page, and its exit status."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Call
from planted_faults import Planted, write_rows


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A folder with LLaVA's rows, of which one has no image."""
    made = Planted(tmp_path).sound(12)
    (tmp_path / made.rows[4].images[0]).unlink()
    write_rows(tmp_path / "train.json", made.rows, "llava", as_list=True)
    return tmp_path


def test_a_recipe_without_faults(call: Call, tiny_recipe: Callable[..., Path], tmp_path: Path) -> None:
    code, out, _ = call("data", "check", tiny_recipe(), "--show", "2", "--rows", "5")
    assert code == 0, out
    assert out.rstrip().endswith("nothing found that would spoil a training")
    assert "rows through the processor" in out
    assert not (tmp_path / "recipe-run").exists()


def test_a_file_with_a_fault(call: Call, planted: Path) -> None:
    page, report = planted / "page.html", planted / "report.json"
    files = ("--json", report, "--html", page)
    code, out, _ = call("data", "check", planted / "train.json", "--format", "llava", "--images", planted, *files)
    assert code == 1
    assert "fault  train: images that are not there: 1 of 12  (missing_image)" in out
    assert f"{planted / 'train.json'}, entry 5: image {planted / '5.png'}: no such file" in out
    assert "⟦red⟧" in out
    found = json.loads(report.read_text(encoding="utf-8"))
    assert [(entry["kind"], entry["count"]) for entry in found["findings"]] == [("missing_image", 1)]
    assert found["parts"][0]["usable"] == 11
    shown = page.read_text(encoding="utf-8")
    assert shown.count("data:image/jpeg;base64,") == 10
    assert "images that are not there" in shown


def test_a_folder_is_looked_at(call: Call, planted: Path) -> None:
    code, out, _ = call("data", "check", planted, "--json", "-")
    assert code == 1
    assert json.loads(out)["task"] == "generation"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.yaml",), "nowhere.yaml: no such file or packaged recipe"),
        (("nowhere",), "nowhere: no such recipe, file or folder"),
        (("easy-vqa", "--model", "vilt-tiny"), "--model: the recipe says it; change the recipe's field with --set"),
        (("{train}", "--format", "llavaa"), "did you mean 'llava'?"),
        (("{train}", "--format", "llava", "--set", "generation.max_pixel=3"), "did you mean 'max_pixels'?"),
        (("{train}", "--format", "llava", "--model", "no/model"), "no/model: could not be loaded"),
    ],
)
def test_nonsense_is_refused(arguments: tuple[str, ...], said: str, call: Call, planted: Path) -> None:
    given = [argument.format(train=planted / "train.json") for argument in arguments]
    code, _, err = call("data", "check", *given)
    assert code == 2
    assert said in err
