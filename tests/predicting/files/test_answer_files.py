"""Many records are answered into a file: a row each, in their order, as each alone; a stopped one goes on."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from PIL import Image

import skiptune as st
from every_task import OPTIONS, records_of, write_images
from skiptune.data.record_digests import asked_digest
from skiptune.data.records import Records
from skiptune.families.chat_processor import ChatProcessor
from skiptune.predicting.files.answer_job import AnswerJob
from skiptune.predicting.files.answer_output import AnswerOutput
from skiptune.predicting.files.answer_part import answer_part, answer_parts
from skiptune.predicting.files.answered_row import AnsweredRow, text_of_rows
from skiptune.predicting.files.asked_rows import AskedRows
from skiptune.predicting.files.asking import Asking, Preparing
from skiptune.predicting.files.part import Part, all_parts
from skiptune.predicting.files.predict_file import Advance, predict_file, write_answers
from skiptune.tasks.answer import Answer
from skiptune.tasks.generation.task import Generation
from skiptune.tasks.registry import TASKS
from skiptune.tasks.task import Task
from tiny_chat import tiny_llava_processor
from tiny_decoders import vlm

ASKING = Asking(top=2, batch_size=4, part_rows=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("pictures")
    write_images(found)
    return found


@pytest.fixture(scope="module")
def vqa(folder: Path) -> tuple[st.Vqa, Any]:
    task = st.Vqa.from_records(st.load_processor("vilt-tiny"), records_of("vqa", folder))
    return task, opened(task)


def opened(task: Task, seed: int = 0) -> Any:
    """A tiny ViLT with patches in their order: transformers' own shuffles them, and rounds in another way each time."""
    return st.insert(st.load_model("vilt-tiny", task.model_class, seed=seed, **task.model_changes())).eval()


@pytest.fixture
def asked(folder: Path) -> AskedRows:
    return AskedRows(Records.of(records_of("vqa", folder)), folder)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", [name for name in TASKS if name not in ("generation", "zero_shot")])
def test_every_task_answers_as_it_does_alone(name: str, folder: Path, tmp_path: Path) -> None:
    records = records_of(name, folder)
    task = TASKS[name].from_records(st.load_processor("vilt-tiny"), records, **OPTIONS.get(name, {}))
    model = opened(task)
    output = tmp_path / "answers.jsonl"
    found = st.pipeline(model, task, batch_size=4).predict_file(records, output, top=2, images=folder)
    assert (found.path, found.rows, found.errors, found.problems) == (output, 17, 0, ())
    assert not (tmp_path / "answers.jsonl.parts").exists()
    rows = rows_of(output)
    assert [row["image"] for row in rows] == [f"{number}.png" for number in range(17)]
    for number in (0, 7, 16):
        alone, row = st.predict(model, task, records[number], top=2), rows[number]
        assert row["answer"] == (pytest.approx(alone.answer) if name == "regression" else alone.answer)
        assert row["probability"] == (alone.probability and pytest.approx(alone.probability, abs=1e-5))
        assert row["score"] == (alone.score and pytest.approx(alone.score, abs=1e-5))
        assert [each["answer"] for each in row["further"] or ()] == [each.answer for each in alone[1:]]


def test_labels_compare_vectors_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = st.ZeroShot(st.load_processor("clip-tiny"), ("red", "green"), ["a {} square"])
    model = st.load_model("clip-tiny", task.model_class).eval()
    calls = []
    encode = model.encode_texts
    monkeypatch.setattr(model, "encode_texts", lambda **texts: calls.append(1) or encode(**texts))
    pipe = st.pipeline(model, task, batch_size=2)
    pipe.predict_file([{"image": str(folder / f"{number}.png")} for number in range(5)], tmp_path / "a.jsonl")
    assert len(calls) == 1
    assert rows_of(tmp_path / "a.jsonl")[3]["answer"] == st.predict(model, task, folder / "3.png").answer


def test_written_answers_do_not_depend_on_batches(folder: Path, tmp_path: Path) -> None:
    whole = tiny_llava_processor()
    task = Generation(ChatProcessor("llava", whole.tokenizer, whole), max_new_tokens=6)
    records = [
        st.Record(folder / "0.png", "what color is it ?"),
        st.Record(None, "is it red or blue or green ?", id="b"),
        st.Record(folder / "1.png", "shape ?", options=("red", "blue")),
        st.Record(folder / "2.png", "what ?"),
        st.Record(folder / "nowhere.png", "what ?"),
    ]
    drawing = st.pipeline(vlm("llava"), task).with_decoding(temperature=0.9, seed=3)
    for size in (1, 3):
        pipe = st.Pipeline(drawing.model, drawing.task, size)
        assert pipe.predict_file(records, tmp_path / f"{size}.jsonl").errors == 1
    first, second = (rows_of(tmp_path / f"{size}.jsonl") for size in (1, 3))
    assert [row["answer"] for row in first] == [row["answer"] for row in second]
    assert [row["id"] for row in first] == [None, "b", None, None, None]
    assert first[2]["answer"] in ("red", "blue")
    assert first[2]["probability"] > 0.4
    assert first[0]["cut"] is True
    assert "no such file" in first[4]["error"]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_a_stopped_one_goes_on_and_ends_with_the_same_bytes(
    ending: str, vqa: tuple[st.Vqa, Any], asked: AskedRows, tmp_path: Path
) -> None:
    task, model = vqa
    whole, stopped = AnswerOutput(tmp_path / f"whole.{ending}"), AnswerOutput(tmp_path / f"stopped.{ending}")
    assert predict_file(model, task, asked, whole, ASKING, Preparing(0)).rows == 17
    job = AnswerJob.of(model, task, asked, ASKING)
    wanted: list[list[int]] = []

    def answer(parts: Sequence[Part], advance: Advance) -> Iterator[tuple[Part, str]]:
        wanted.append([part.number for part in parts])
        last = parts[-1:]  # in any order
        yield from ((part, text_of_rows(answer_part(model, task, asked, part, ASKING))) for part in last)
        raise KeyboardInterrupt

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            write_answers(job, stopped, answer)
        assert not stopped.path.exists()
    assert wanted == [[0, 1, 2], [0, 1], [0]]
    assert predict_file(model, task, asked, stopped, ASKING, Preparing(2)).rows == 17
    assert stopped.path.read_bytes() == whole.path.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted((whole.path.name, stopped.path.name))


def test_killed_while_it_ends(
    vqa: tuple[st.Vqa, Any], asked: AskedRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the file is there, and while its parts are removed: they are not answered again."""
    task, model = vqa
    output, whole = AnswerOutput(tmp_path / "a.jsonl"), AnswerOutput(tmp_path / "whole.jsonl")
    expected = predict_file(model, task, asked, whole, ASKING)

    def killed(*given: Any) -> None:
        raise KeyboardInterrupt

    for place in ("write_rows", "PartFolder._clear"):  # the second begins with a job, and clears at its end
        with monkeypatch.context() as context:
            context.setattr(f"skiptune.predicting.files.part_folder.{place}", killed)
            with pytest.raises(KeyboardInterrupt):
                predict_file(model, task, asked, output, ASKING)
    monkeypatch.setattr("skiptune.predicting.files.part_folder.write_rows", killed)
    found = predict_file(model, task, asked, output, ASKING)
    assert (found.rows, found.errors) == (expected.rows, expected.errors)
    assert output.path.read_bytes() == whole.path.read_bytes()
    assert not (tmp_path / "a.jsonl.parts").exists()


def test_others_do_not_go_on_with_it(vqa: tuple[st.Vqa, Any], asked: AskedRows, folder: Path, tmp_path: Path) -> None:
    task, model = vqa
    output = AnswerOutput(tmp_path / "a.csv")
    job = AnswerJob.of(model, task, asked, ASKING)

    def stop(parts: Sequence[Part], advance: Advance) -> Iterator[tuple[Part, str]]:
        yield parts[0], "{}\n" * len(parts[0])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_answers(job, output, stop)
    other = opened(task, seed=5)
    fewer = AskedRows(asked.records[:16], folder)
    with pytest.raises(st.InputError, match="begun with others") as raised:
        predict_file(other, task, fewer, output, Asking(top=3, batch_size=4, part_rows=8))
    told = str(raised.value)
    assert "model: another one" in told
    assert "data: 16 rows; 17 when it was begun" in told
    assert "top: 3; 2 when it was begun" in told
    reworded = AskedRows(Records.of([*asked.records[:16], st.Record(folder / "16.png", "another question?")]), folder)
    with pytest.raises(st.InputError, match="rows or images are others"):
        predict_file(model, task, reworded, output, ASKING)
    (part,) = (path for path in (tmp_path / "a.csv.parts").glob("part-*"))
    part.write_text("{}\n", encoding="utf-8")
    with pytest.raises(st.InputError, match=r"part-000000\.jsonl: 1 lines, and it had 8; remove it"):
        predict_file(model, task, asked, output, ASKING)
    assert predict_file(model, task, asked, AnswerOutput(output.path, force=True), ASKING).rows == 17
    with pytest.raises(st.InputError, match="is there already; name another file, or replace it with --force"):
        predict_file(model, task, asked, output, ASKING)
    assert not (tmp_path / "a.csv.parts").exists()
    (tmp_path / "b.jsonl.parts").mkdir()
    (tmp_path / "b.jsonl.parts" / "job.json").write_text("{", encoding="utf-8")
    with pytest.raises(st.InputError, match="damaged; begin anew"):
        predict_file(model, task, asked, AnswerOutput(tmp_path / "b.jsonl"), ASKING)


def test_one_process_at_a_time(vqa: tuple[st.Vqa, Any], asked: AskedRows, tmp_path: Path) -> None:
    task, model = vqa
    parts = tmp_path / "a.jsonl.parts"
    parts.mkdir()
    with FileLock(parts / "run.lock"), pytest.raises(st.InputError, match="is in use by another run"):
        predict_file(model, task, asked, AnswerOutput(tmp_path / "a.jsonl"), ASKING)


def test_what_is_prepared_meanwhile_changes_nothing(vqa: tuple[st.Vqa, Any], asked: AskedRows) -> None:
    task, model = vqa
    parts = all_parts(len(asked), 8)
    assert [(part.start, part.stop) for part in parts] == [(0, 8), (8, 16), (16, 17)]
    counted: list[int] = []
    found = [
        list(answer_parts(model, task, asked, parts, ASKING, Preparing(workers, kept), counted.append))
        for workers, kept in ((0, 0), (1, 2**20), (3, 2**27))
    ]
    assert found[0] == found[1] == found[2]
    assert sum(counted) == 3 * 17
    assert answer_part(model, task, asked, parts[1], ASKING) == found[0][1][1]


def test_bad_rows_keep_their_places(vqa: tuple[st.Vqa, Any], folder: Path, tmp_path: Path) -> None:
    task, model = vqa
    (folder / "broken.png").write_bytes((folder / "1.png").read_bytes()[:60])
    rows: list[Any] = [
        {"image": "0.png", "question": " "},
        {"image": "1.png", "question": "colour?", "id": 7},
        {"image": "broken.png", "question": "colour?", "id": "x"},
        "no object",
        {"image": "nowhere.png", "question": "colour?"},
        {"image": "2.png", "question": "which colour?"},
        {"image": "2.png"},
    ]
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    records = st.read_jsonl(data, folder, require_answers=False, most_bad=1.0, **task.asked_row_checks())
    pipe = st.pipeline(model, task, batch_size=2)
    found = pipe.predict_file(records, tmp_path / "a.jsonl", images=folder)
    assert (found.rows, found.errors) == (7, 5)
    assert "line 1: question" in found.problems[0]
    assert found.problems[1].startswith("x: line 3: image")
    written = rows_of(tmp_path / "a.jsonl")
    assert [row["error"] is None for row in written] == [False, True, False, False, False, True, False]
    assert [row["id"] for row in written] == [None, "7", "x", None, None, None, None]
    assert written[2]["image"] == "broken.png"
    alone = st.predict(model, task, folder / "2.png", "which colour?")
    assert written[5]["probability"] == pytest.approx(alone.probability, abs=1e-5)
    for _ in range(2):  # all parts are there at the second time
        with pytest.raises(st.InputError, match="5 of 7 rows cannot be answered, more than most_bad"):
            pipe.predict_file(records, tmp_path / "b.jsonl", most_bad=0.5)
    assert pipe.predict_file(records, tmp_path / "b.jsonl", images=folder).rows == 7
    assert (tmp_path / "b.jsonl").is_file()


def test_tables_have_types(vqa: tuple[st.Vqa, Any], asked: AskedRows, folder: Path, tmp_path: Path) -> None:
    task, model = vqa
    for ending in ("csv", "parquet"):
        predict_file(model, task, asked, AnswerOutput(tmp_path / f"a.{ending}"), ASKING)
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    table = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert [row["answer"] for row in lines] == [row["answer"] for row in table]
    assert float(lines[3]["probability"]) == table[3]["probability"]
    assert json.loads(lines[3]["further"]) == table[3]["further"]
    assert table[3]["further"][0].keys() == {"answer", "probability", "score"}
    assert lines[3]["error"] == ""
    assert table[3]["error"] is None


def test_numbers_that_are_none(folder: Path) -> None:
    row = AnsweredRow.of(st.Record(folder / "0.png", "a"), [Answer("x", probability=float("nan"))], None, None)
    assert row.answer is None
    assert "NaN" in str(row.error)


def test_changed_pictures_are_others(folder: Path, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes((folder / "0.png").read_bytes())
    first = asked_digest(Records.of([st.Record(picture, "what?")]))
    picture.write_bytes((folder / "0.png").read_bytes())
    os.utime(picture, ns=(1, 1))
    later = asked_digest(Records.of([st.Record(picture, "what?")]))
    assert (later.rows, later.times != first.times) == (first.rows, True)
    namesake = tmp_path / "other" / "a.png"
    namesake.parent.mkdir()
    namesake.write_bytes(picture.read_bytes())
    assert asked_digest(Records.of([st.Record(namesake, "what?")])).rows != first.rows
    picture.write_bytes(b"123")
    assert asked_digest(Records.of([st.Record(picture, "what?")])).rows != first.rows
    black, white = (Image.fromarray(np.full((4, 4, 3), value, dtype=np.uint8)) for value in (0, 255))
    digests = {asked_digest(Records.of([st.Record(image, "what?")])).rows for image in (black, white)}
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output": "a.txt"}, "its ending says no format"),
        ({"output": 3}, "output: 3 is not"),
        ({"top": 0}, "top: 0; expected how many answers"),
        ({"workers": -1}, "workers: -1; expected how many threads"),
        ({"most_bad": 2.0}, "is not a share between 0 and 1"),
    ],
)
def test_wrong_arguments_are_refused(
    arguments: dict[str, Any], message: str, vqa: tuple[st.Vqa, Any], folder: Path
) -> None:
    task, model = vqa
    with pytest.raises(st.InputError, match=message):
        st.pipeline(model, task).predict_file(records_of("vqa", folder), **{"output": "a.jsonl", **arguments})
