"""Without a test part, a share of validation is kept from the search; where a number is too good, it is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from skiptune import Run, read_recipe
from skiptune.core.measurements import Measured
from skiptune.data.data_config import DataConfig
from skiptune.data.parts import read_parts
from skiptune.plan import Comparisons
from skiptune.reporting.report import write_report
from skiptune.reporting.result_sections import ChosenPlan, Metric
from skiptune.reporting.results import Results
from skiptune.running.begun_run import as_begun, filled_in
from skiptune.running.run_data import read_data, report_seen

COLOURS = ("red", "green")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``all.jsonl``: 50 pictures with two questions each; ``few.jsonl``: 10 others."""
    where = tmp_path_factory.mktemp("reserved")
    for name, numbers in (("all", range(50)), ("few", range(50, 60))):
        rows = []
        for number in numbers:
            Image.new("RGB", (48, 48), (4 * number, 90, 90)).save(where / f"{number}.png")
            rows += [
                {"image": f"{number}.png", "question": question, "answer": COLOURS[number % 2]}
                for question in ("which?", "what?")
            ]
        (where / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return where


def config(folder: Path, **changes: Any) -> DataConfig:
    files = {"train": str(folder / "all.jsonl"), "images": str(folder), "validation_share": 0.4}
    return DataConfig.from_dict({"name": "jsonl", **files, **changes})


def images(records: Any) -> set[str]:
    return {str(record.image) for record in records}


def test_half_of_the_validation_images_are_reserved(folder: Path) -> None:
    data = read_parts(config(folder), seed=0)
    assert [len(images(part)) for part in (data.train, data.validation, data.reserved)] == [30, 10, 10]
    assert (len(data.validation), len(data.reserved), data.reported) == (20, 20, "reserved")
    assert not images(data.validation) & images(data.reserved)
    assert not images(data.train) & (images(data.validation) | images(data.reserved))
    more = read_parts(config(folder, validation_share=0.8, reserved_share=0.75), seed=0)
    assert [len(images(part)) for part in (more.validation, more.reserved)] == [10, 30]


def test_of_a_validation_file_the_same_images_whatever_the_seed(folder: Path) -> None:
    given = config(folder, train=str(folder / "few.jsonl"), validation=str(folder / "all.jsonl"))
    first, second = (read_parts(given, seed) for seed in range(2))
    assert images(first.reserved) == images(second.reserved)
    assert len(images(first.reserved)) == 25


def test_nothing_is_reserved_with_a_test_part_or_where_it_is_switched_off(folder: Path) -> None:
    for changes in ({"test": str(folder / "few.jsonl")}, {"test_share": 0.2}, {"reserved_share": None}):
        data = read_parts(config(folder, **changes), seed=0)
        assert not data.reserved
        assert data.reported == ("validation" if "reserved_share" in changes else "test")


@pytest.mark.parametrize(("changes", "told"), [({}, True), ({"reserved_share": None}, False)])
def test_too_few_images_are_not_cut_and_that_is_told(
    changes: dict[str, Any], told: bool, folder: Path, tiny_recipe: Callable[..., Path], capsys: Any
) -> None:
    data = {"train": str(folder / "all.jsonl"), "images": str(folder), "validation_share": 0.38, "test": None}
    found = read_data(read_recipe(tiny_recipe(data={**data, **changes})), folder)
    assert (len(images(found.validation)), len(found.reserved)) == (19, 0)
    said = " ".join(capsys.readouterr().err.split())
    assert ("19 images are too few to keep some of them from the search" in said) == told


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    """A finished run without a test part."""
    from conftest import write_recipe

    data = {"train": str(folder / "all.jsonl"), "images": str(folder), "validation_share": 0.4, "test": None}
    changes = {"train": {"max_steps": 4}, "search": {"max_steps": 2, "interval": 1}, "baselines": ["random"]}
    found = Run(read_recipe(write_recipe(folder / "r.yaml", folder, data=data, output=str(folder / "run"), **changes)))
    found.all()
    return found


def test_a_run_reports_what_its_search_never_saw(run: Run) -> None:
    assert not images(run.experiment.valid) & images(run.data.reserved)
    results = json.loads((run.folder / "results.json").read_text())
    assert results["metric"]["reserved"]["count"] == results["metric"]["validation"]["count"] == 20
    assert results["baselines"]["random"]["reserved"]["count"] == 20
    assert results["records"]["reserved"] == 20
    lines = str(Results.load(run.folder / "results.json")).splitlines()
    assert lines[1].endswith("of 20 questions (the plan was chosen on them)")
    assert lines[2].startswith("reserved accuracy:")
    assert lines[2].endswith("of 20 questions (validation that the search never saw)")
    page = (run.folder / "report.md").read_text()
    assert "| Reserved accuracy |" in page
    assert "20 questions that the search never saw" in page
    assert "The plan was chosen on the validation part, so what is measured there is likely too good." in page
    assert "The reserved part is a share of the validation images that the search never saw." in page
    assert "measured on the reserved part" in page
    card = (run.folder / "slim" / "README.md").read_text()
    assert "split: reserved" in card
    assert "The plan was chosen on the validation part" in card
    assert "The reserved part is a share" in card


def test_an_evaluation_says_that_the_model_has_seen_the_file(run: Run, folder: Path, capsys: Any) -> None:
    for name, told in (("all", True), ("few", False)):
        report_seen(folder / f"{name}.jsonl", run.folder / "slim")
        said = " ".join(capsys.readouterr().err.split())
        assert ("the model was trained on records of this file, so what is measured on it is too good" in said) == told


def test_a_run_goes_on_with_the_parts_it_began_with(run: Run, tmp_path: Path) -> None:
    recipe = run.recipe.replace(output=str(tmp_path))
    kept = recipe.to_dict()
    assert as_begun(recipe) == recipe
    del kept["data"]["reserved_share"]  # as version 0.3 wrote it
    (tmp_path / "recipe.json").write_text(json.dumps(kept))
    del kept["data"]["exif_orientation"]
    (tmp_path / "recipe.json").write_text(json.dumps(kept))
    assert filled_in(kept)["data"]["reserved_share"] is None
    older = read_recipe(tmp_path / "recipe.json")
    assert as_begun(older).data.reserved_share is None
    assert as_begun(older).data.exif_orientation is False
    assert not Run(older).data.reserved
    asked = older.replace(data=older.data.replace(reserved_share=0.25))
    assert as_begun(asked).data.reserved_share == 0.25  # and is refused by the run


@pytest.mark.parametrize(("subnetworks", "told"), [(4, True), (0, False)])
def test_only_a_plan_that_was_compared_makes_validation_too_good(subnetworks: int, told: bool, tmp_path: Path) -> None:
    """Not one that was given, drawn or chosen by position."""
    compared = Comparisons(subnetworks=subnetworks, examples=8, seconds=1.0)
    found = Measured.from_dict({"accuracy": 0.5, "loss": 1.0, "count": 40})
    plan = ChosenPlan(blocks=("0", "1"), skipped=("0",), comparisons=compared)
    results = Results(plan=plan, metric=Metric(validation=found))
    write_report(tmp_path, results)
    page = (tmp_path / "report.md").read_text()
    assert ("likely too good" in page) == told
    assert ("the plan was chosen on them" in str(results)) == told
    assert results.too_good("test") is False
