"""The data doctor finds planted faults in every format, and none in sound data."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

from planted_faults import WRITERS, Planted, Row, as_swift, planted, write_rows
from skiptune.checking.check import check_recipe
from skiptune.checking.examine import Depth
from skiptune.checking.report import DataReport
from skiptune.running.recipe import Recipe
from tiny_chat import save_tiny_llava

#: Faults whose place is an image.
OF_IMAGES = {"damaged_image", "tiny_image", "narrow_image", "too_many_pixels", "one_colour"}
#: Long texts are cut; images of more than 120,000 pixels are refused.
SETTINGS = {"max_length": 130, "max_pixels": 120_000}
DIALECTS = [name for name in WRITERS if name != "jsonl"]


@pytest.fixture(scope="session")
def tiny_llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llava(tmp_path_factory.mktemp("llava"))


def checked(model: Path, folder: Path, name: str, file: str = "train.json", **data: str) -> DataReport:
    """The report on ``file`` in ``folder``, with the images beside it."""
    where = {"train": str(folder / file), **({} if name == "dataset" else {"images": str(folder)}), **data}
    given = {"output": "nowhere", "model": str(model), "task": "generation", "generation": SETTINGS}
    return check_recipe(Recipe.from_dict({**given, "data": {"name": name, **where}}), Depth(show=3))


def places(report: DataReport) -> defaultdict[str, set[int]]:
    """The numbers of rows by the kind of what was found there; those of images by the row that needs them."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for finding in report.findings:
        for example in finding.examples:
            text = example.said if finding.kind in OF_IMAGES else example.place
            found[finding.kind].update(int(number) for number in re.findall(r"(?:line|entry|row) (\d+)", text))
    return found


def missed(report: DataReport, rows: list[Row], first: int = 1) -> set[tuple[int, str]]:
    """Planted faults that the report does not tell, or at another row."""
    found = places(report)
    return {(number, kind) for number, kind in planted(rows) if number - 1 + first not in found[kind]}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("as_list", [False, True], ids=["lines", "list"])
def test_planted_faults_are_found_in_conversations(
    dialect: str, as_list: bool, tiny_llava: Path, tmp_path: Path
) -> None:
    made = Planted(tmp_path).sound().plant_repeats().plant_images().plant_texts().plant_turns()
    if not as_list:
        made.plant_lines()
    write_rows(tmp_path / "train.json", made.rows, dialect, as_list)
    report = checked(tiny_llava, tmp_path, dialect)
    assert missed(report, made.rows) == set()
    kinds = {finding.kind for finding in report.findings}
    assert kinds - {"images_lost"} == {row.fault for row in made.rows if row.fault}  # what one fault leads to


def test_planted_faults_are_found_in_questions(tiny_llava: Path, tmp_path: Path) -> None:
    made = Planted(tmp_path).sound().plant_repeats().plant_images().plant_texts().plant_options().plant_lines()
    write_rows(tmp_path / "train.json", made.rows, "jsonl")
    report = checked(tiny_llava, tmp_path, "jsonl")
    assert missed(report, made.rows) == set()


@pytest.mark.parametrize("form", [*WRITERS])
def test_sound_data_have_no_findings(form: str, tiny_llava: Path, tmp_path: Path) -> None:
    made = Planted(tmp_path).sound(20)
    write_rows(tmp_path / "train.json", made.rows, form)
    write_rows(tmp_path / "test.json", Planted(tmp_path, _drawn=100).sound(10).rows, form)
    report = checked(tiny_llava, tmp_path, form, test=str(tmp_path / "test.json"))
    assert report.findings == ()
    train, test = report.parts
    assert (train.rows, train.usable, train.images, test.rows) == (20, 20, 20, 10)
    assert train.model is not None
    assert (train.model.images, train.model.placeholders, train.model.reached) == (20, 20, 20)
    assert (train.model.image_tokens, train.model.lengths.limit) == (16, 128)  # the model has no more positions


def test_planted_faults_are_found_in_datasets_on_disk(tiny_llava: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    made = Planted(tmp_path).sound().plant_repeats().plant_texts().plant_turns()
    rows = [as_swift(row) for row in made.rows]
    bytes_of = {name: (tmp_path / name).read_bytes() for row in rows for name in row["images"]}
    held = [{**row, "images": [{"bytes": bytes_of[name], "path": name} for name in row["images"]]} for row in rows]
    whole = datasets.Dataset.from_list(held).cast_column("images", [datasets.Image()])
    datasets.DatasetDict({"train": whole, "test": whole.select(range(2))}).save_to_disk(tmp_path / "disk")
    report = checked(tiny_llava, tmp_path, "dataset", "disk", split="train", test_split="test")
    assert missed(report, made.rows, first=0) == set()
    assert report.found("shared_images") == 2
