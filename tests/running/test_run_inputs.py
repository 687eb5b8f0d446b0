"""A run goes on with the data and the model that it began with, told by content; a finished one needs no data."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image
from typer.testing import CliRunner

from skiptune import InputError, Record, Run, read_recipe
from skiptune.cli.main import app
from skiptune.core.validation import problem_lines
from skiptune.data import record_digests
from skiptune.data.pictures import Stored
from skiptune.data.record_digests import digests_of
from skiptune.running.run_inputs import INPUTS
from written_by_0_3 import copied_to


@pytest.fixture
def begun(data_folder: Path, base_folder: Path, tmp_path: Path) -> Path:
    """A recipe whose run has begun, with data and a model of its own beside it."""
    from conftest import write_recipe

    shutil.copytree(data_folder, tmp_path / "data")
    with Image.open(data_folder / "images" / "17.png") as image:  # with pixels that are bytes of the file
        image.resize((64, 64)).save(tmp_path / "data" / "images" / "17.bmp")
    test = tmp_path / "data" / "test.jsonl"
    test.write_text(test.read_text().replace("17.png", "17.bmp"))
    shutil.copytree(base_folder, tmp_path / "model")
    changes = {"model": str(tmp_path / "model"), "output": str(tmp_path / "out")}
    recipe = write_recipe(tmp_path / "recipe.yaml", tmp_path / "data", **changes)
    Run(read_recipe(recipe)).check()
    (tmp_path / "out" / "checkpoints" / "train" / "checkpoint-1").mkdir(parents=True)  # else nothing would be locked
    return recipe


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def rename(folder: Path) -> None:
    rows = lines(folder / "data" / "train.jsonl")
    write(folder / "data" / "train.jsonl", [{**row, "answer": row["answer"].replace("red", "crimson")} for row in rows])


def drop(folder: Path) -> None:
    write(folder / "data" / "train.jsonl", lines(folder / "data" / "train.jsonl")[3:])


def turn_round(folder: Path) -> None:
    write(folder / "data" / "train.jsonl", lines(folder / "data" / "train.jsonl")[::-1])


def other_test(folder: Path) -> None:
    rows = lines(folder / "data" / "test.jsonl")
    write(folder / "data" / "test.jsonl", [{**row, "question": row["question"] + "?"} for row in rows])


def other_image(folder: Path) -> None:
    path = folder / "data" / "images" / "18.png"
    Image.new("RGB", (48, 48), (1, 2, 3)).save(path)


def other_pixels(folder: Path) -> None:
    path = folder / "data" / "images" / "17.bmp"
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 128
    path.write_bytes(content)


def other_model(folder: Path) -> None:
    path = folder / "model" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def other_processor(folder: Path) -> None:
    path = folder / "model" / "processor_config.json"
    path.write_text(path.read_text().replace('"image_mean": [', '"image_mean": [ '))
    (folder / "model" / "added_tokens.json").write_text("{}")
    (folder / "model" / "generation_config.json").write_text("{}")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (rename, [r"train.jsonl: train records with other answers than", r"['crimson'] are new, ['red'] are gone"]),
        (drop, ["train.jsonl: 33 train records; 36 when the run began", "train.jsonl is changed (SHA-256) since"]),
        (turn_round, ["train.jsonl: train records with other images, texts, answers than", "validation records"]),
        (other_test, ["test.jsonl: test records with other texts than when the run began"]),
        (other_image, ["test.jsonl: test records with other images than when the run began"]),
        (other_pixels, ["test.jsonl: test records with other images than when the run began"]),
        (other_model, ["model: model.safetensors is changed (SHA-256) since the run began"]),
        (other_processor, ["added_tokens.json is new", "generation_config.json is new", "processor_config.json is"]),
    ],
)
def test_what_has_changed_is_named(change: Callable[[Path], None], said: list[str], begun: Path) -> None:
    change(begun.parent)
    with pytest.raises(InputError, match="holds a run with other data or another model; put back") as refusal:
        Run(read_recipe(begun)).check()
    found = problem_lines(refusal.value)
    for text in said:
        assert any(text in line for line in found), found


@pytest.mark.parametrize("most", [2**31, 0])
def test_images_count_with_their_bytes(most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_digests, "READ_WHOLE", most)
    found = []
    for change in range(3):
        content = bytearray(bytes(range(256)) * 100)
        content[(0, -1, len(content) // 3)[change]] ^= change > 0
        (tmp_path / "a.png").write_bytes(content)
        stored = pa.table({"image": pa.array([{"bytes": bytes(content)}])})
        with pa.OSFile(str(tmp_path / "b.arrow"), "wb") as sink, pa.ipc.new_file(sink, stored.schema) as writer:
            writer.write_table(stored)
        for picture in (tmp_path / "a.png", Stored(str(tmp_path / "b.arrow"), "image", 0)):
            found.append(digests_of([Record(picture, "q", {"a": 1.0})])["images"])
    assert len(set(found)) == 6


@pytest.mark.parametrize("most", [2**31, 0])
def test_images_that_are_not_there_are_no_reason_to_stop(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_digests, "READ_WHOLE", most)
    empty = pa.table({"image": pa.array([None, b""], pa.binary())})
    with pa.OSFile(str(tmp_path / "b.arrow"), "wb") as sink, pa.ipc.new_file(sink, empty.schema) as writer:
        writer.write_table(empty)
    pictures = [Stored(str(tmp_path / "b.arrow"), "image", 0), Stored(str(tmp_path / "b.arrow"), "image", 1)]
    gone = [digests_of([Record(picture, "q", {"a": 1.0})])["images"] for picture in (*pictures, tmp_path / "no.png")]
    assert len(set(gone)) == 3


def test_the_same_content_goes_on(begun: Path, tmp_path: Path) -> None:
    train = tmp_path / "data" / "train.jsonl"
    train.write_text("\n" + train.read_text().replace('", "', '",  "'), encoding="utf-8")
    shutil.copytree(tmp_path / "model", tmp_path / "copy")
    shutil.rmtree(tmp_path / "model")
    shutil.move(tmp_path / "copy", tmp_path / "model")
    (tmp_path / "model" / "README.md").write_text("notes")
    Run(read_recipe(begun)).check()


def test_digests_that_are_gone_are_missed(begun: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / INPUTS).unlink()
    with pytest.raises(InputError, match=r"inputs\.json: was written and is gone"):
        Run(read_recipe(begun)).check()


def test_a_run_that_is_refused_leaves_its_directory_to_others(begun: Path, tmp_path: Path) -> None:
    for changes in (["budget.num_skip=4"], ["data.train=nowhere.jsonl"], ["search.max_steps=99"]):
        with pytest.raises(InputError):
            Run(read_recipe(begun, changes, output=str(tmp_path / "new"))).check()
        assert not (tmp_path / "new").exists()
    with (tmp_path / "data" / "train.jsonl").open("a") as file:
        file.write("{\n")
    with pytest.raises(InputError, match="1 of 49 rows are bad"):
        Run(read_recipe(begun, ["data.most_bad=0.0"], output=str(tmp_path / "new"))).check()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["logs"]
    Run(read_recipe(begun, ["data.most_bad=0.1"], output=str(tmp_path / "new"))).check()
    assert (tmp_path / "new" / "recipe.json").is_file()


@pytest.mark.parametrize("version", ["0.3", "now"])
def test_a_finished_run_needs_no_data(version: str, tmp_path: Path) -> None:
    here = copied_to(tmp_path)
    run, image = here / "run", tmp_path / "0.png"
    if version == "now":
        Run(read_recipe(run / "recipe.json", output=str(run))).check()
        assert (run / INPUTS).is_file()
    shutil.copy(here / "data" / "images" / "0.png", image)
    shutil.rmtree(here / "data")
    for arguments in (
        ("export", run, tmp_path / "slim"), ("export", run, tmp_path / "small", "--form", "adapters"),
        ("predict", tmp_path / "slim", image, "colour?"), ("report", run),
    ):  # fmt: skip
        done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
        assert done.exit_code == 0
    card, exported = (json.loads((where / "config.json").read_text()) for where in (run / "slim", tmp_path / "slim"))
    for name in ("task", "base_fingerprint", "plan", "parameters", "header_sha256"):
        assert exported[name] == card[name]
    assert exported["extra"].items() >= card["extra"].items()


def test_digests_do_not_depend_on_where_records_are_in_their_table(records: Any) -> None:
    order = [5, 3, 40]
    assert digests_of(records.select(order)) == digests_of([records[row] for row in order])
    assert digests_of(records.select(order)) != digests_of(records.select(order[::-1]))
    assert digests_of([])
