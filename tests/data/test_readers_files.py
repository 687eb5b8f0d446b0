"""Readers of published sets on small files of their shape: what is read, and what becomes of bad rows."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from skiptune import InputError
from skiptune.data.answers import answer_vocabulary
from skiptune.data.readers.json_array import read_array
from skiptune.data.readers.jsonl import read_jsonl
from skiptune.data.readers.karpathy import read_karpathy
from skiptune.data.readers.nlvr import read_nlvr, read_nlvr2
from skiptune.data.readers.snli_ve import read_snli_ve
from skiptune.data.readers.vqav2 import read_vqav2
from skiptune.data.record import Record
from skiptune.data.records import Records
from skiptune.data.splits import check_disjoint, split_by_image

SHARED = Path(__file__).parents[3] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data sets are not beside the checkout")
QUESTIONS = "v2_OpenEnded_mscoco_train2014_questions.json"
ANNOTATIONS = "v2_mscoco_train2014_annotations.json"


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shade = zlib.crc32(path.name.encode())  # images of other names are other images
    Image.new("RGB", (8, 8), (shade % 256, shade // 256 % 256, shade // 65536 % 256)).save(path)
    return path


def write_lines(path: Path, rows: list[Any]) -> Path:
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8"
    )
    return path


def vqa_files(folder: Path, count: int = 6, where: str = "train2014") -> tuple[list[Any], list[Any]]:
    for image in range(count // 2):
        picture(folder / where / f"COCO_train2014_{image:012d}.jpg")
    questions = [
        {"image_id": k // 2, "question": f"How many things are there, {k}?", "question_id": 10 * k}
        for k in range(count)
    ]
    annotations = [
        {
            "question_type": "how many",
            "multiple_choice_answer": "two",
            "answers": [
                {"answer": "two" if j < 7 else f"{j}", "answer_confidence": "yes", "answer_id": j + 1}
                for j in range(10)
            ],
            "image_id": k // 2,
            "answer_type": "number",
            "question_id": 10 * k,
        }
        for k in range(count)
    ]
    return questions, annotations


def write_vqa(folder: Path, questions: list[Any], annotations: list[Any]) -> tuple[Path, Path]:
    (folder / QUESTIONS).write_text(
        json.dumps({"info": {"a": [1, {"b": "]}"}]}, "questions": questions, "license": {}})
    )
    (folder / ANNOTATIONS).write_text(json.dumps({"annotations": annotations, "other": [[1], "x"], "n": 12}))
    return folder / QUESTIONS, folder / ANNOTATIONS


@pytest.mark.parametrize("where", ["train2014", ""])
def test_vqav2(tmp_path: Path, where: str) -> None:
    found = read_vqav2(*write_vqa(tmp_path, *vqa_files(tmp_path, where=where)), tmp_path)
    assert (len(found), found.rows, found.bad) == (6, 6, [])
    assert found[5] == Record(
        tmp_path / where / "COCO_train2014_000000000002.jpg",
        "How many things are there, 5?",
        {"two": 1.0, "7": 0.3, "8": 0.3, "9": 0.3},
        given=("two",) * 7 + ("7", "8", "9"),
        majority="two",
        id="50",
    )
    assert found[5].question == found[5].text
    assert found[5].images == (found[5].image,)
    assert answer_vocabulary([record.majority for record in found], least=6) == ["2"]


@pytest.mark.parametrize("where", ["val2017", "train2014", ""])
def test_vqav2_with_the_image_names_of_2017(tmp_path: Path, where: str) -> None:
    questions, annotations = vqa_files(tmp_path, 6)
    moved = picture(tmp_path / where / "000000000001.jpg")
    (tmp_path / "train2014" / "COCO_train2014_000000000001.jpg").unlink()
    if not where:  # all in one folder
        for number in (0, 2):
            name = f"COCO_train2014_{number:012d}.jpg"
            (tmp_path / "train2014" / name).rename(tmp_path / name)
        (tmp_path / "train2014").rmdir()
    files = write_vqa(tmp_path, questions, annotations)
    assert [record.image for record in read_vqav2(*files, tmp_path)][2:4] == [moved, moved]
    moved.unlink()
    found = read_vqav2(*files, tmp_path, most_bad=0.5)
    assert (len(found), len(found.bad)) == (4, 2)
    assert "COCO_train2014_000000000001.jpg or " in found.bad[0]
    assert str(moved) in found.bad[0]


def test_vqav2_in_another_order_and_with_missing_annotations(tmp_path: Path) -> None:
    questions, annotations = vqa_files(tmp_path, 40)
    shuffled = [*annotations[::-1][:25], *annotations[2:15]]  # without 0 and 1
    found = read_vqav2(*write_vqa(tmp_path, questions, shuffled), tmp_path, most_bad=0.05)
    assert sorted(int(record.id) for record in found) == [10 * k for k in range(2, 40)]
    assert sorted(text.partition(":")[0] for text in found.bad) == ["question 0", "question 10"]
    with pytest.raises(InputError, match="2 of 40 rows are bad"):
        read_vqav2(tmp_path / QUESTIONS, tmp_path / ANNOTATIONS, tmp_path)


def test_vqav2_bad_rows_are_named_in_the_log(tmp_path: Path) -> None:
    questions, annotations = vqa_files(tmp_path, 20)
    questions[0]["question"] = " "
    questions[2]["image_id"] = 99
    del questions[4]["image_id"]
    annotations[6]["answers"] = [{"answer": None}]
    questions[8] = ["no", "object"]
    annotations[10]["multiple_choice_answer"] = ["two"]
    log = tmp_path / "logs" / "bad.txt"
    log.parent.mkdir()
    log.write_text("of an earlier run\n")
    found = read_vqav2(*write_vqa(tmp_path, questions, annotations), tmp_path, most_bad=0.5, log=log)
    lines = log.read_text().splitlines()
    assert len(found) == 14
    assert len(found.bad) == len(lines) == 6
    for text, line in zip(found.bad, lines, strict=True):
        assert line == f"{tmp_path / QUESTIONS}: {text}"
    said = "\n".join(lines)
    for word in (
        "question: ' '",
        "image: no such file: ",
        "COCO_train2014_000000000099.jpg or ",
        "image_id: None",
        "answers: None",
        "entry 9 of questions: expected an object with question; found list",
    ):
        assert word in said


def test_vqav2_test_questions_have_no_answers(tmp_path: Path) -> None:
    questions, _ = vqa_files(tmp_path)
    picture(tmp_path / "test2015" / "COCO_test2015_000000000001.jpg")
    path = tmp_path / "v2_OpenEnded_mscoco_test-dev2015_questions.json"
    path.write_text(json.dumps({"questions": questions[2:4]}))
    found = read_vqav2(path, None, tmp_path)
    assert [(record.answers, record.id, record.image.parent.name) for record in found] == [
        ({}, "20", "test2015"),
        ({}, "30", "test2015"),
    ]
    path.rename(tmp_path / "mine.json")
    with pytest.raises(InputError, match="give split"):
        read_vqav2(tmp_path / "mine.json", None, tmp_path)
    assert len(read_vqav2(tmp_path / "mine.json", None, tmp_path, split="test2015")) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"questions": [{"a": 1}, {"a"', "not valid JSON, or cut off"),
        ('{"questions": [1 2]}', "not valid JSON, or cut off"),
        ('{"annotations": [1]}', "no list 'questions'"),
        ('{"questions": {"a": 1}}', "no list 'questions'"),
        ("[1]", "not valid JSON"),
        ("", "not valid JSON"),
        (b"\xff\xfe{", "UTF-8"),
    ],
)
def test_broken_json_files_are_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = tmp_path / "q.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=message):
        list(read_array(path, "questions"))
    with pytest.raises(InputError, match="no such file"):
        list(read_array(tmp_path / "none.json", "questions"))


@pytest.mark.parametrize("chunk", [1, 2, 7, 64])
def test_arrays_are_the_same_however_the_file_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr("skiptune.data.readers.json_array._CHUNK", chunk)
    values: list[Any] = [1, 123.5, 'a]}\\"', {"b": [None, True]}, [], "ünïcode \u2028", -12e3, {"long": "x" * 200}]
    path = tmp_path / "a.json"
    for indent in (None, 2):
        path.write_text(json.dumps({"n": 1234, "before": values, "wanted": values, "z": [[]]}, indent=indent))
        assert list(read_array(path, "wanted")) == [
            (f"entry {number} of wanted", value) for number, value in enumerate(values, start=1)
        ]


def test_values_are_what_json_makes_of_them(tmp_path: Path) -> None:
    """Types of numbers, an empty array, a byte-order mark; a member of the same name deeper inside is another one."""
    path = tmp_path / "a.json"
    for encoding in ("utf-8", "utf-8-sig"):
        path.write_text('{"wanted": [1, 1.0, 2e1, {"a": 0.25}], "other": {"wanted": [7]}, "empty": []}', encoding)
        values = [value for _, value in read_array(path, "wanted")]
        assert values == [1, 1.0, 20.0, {"a": 0.25}]
        assert [type(value) for value in values] == [int, float, float, dict]
        assert list(read_array(path, "empty")) == []


@pytest.mark.parametrize("layout", ["{part}/{directory}", "{part}", "{directory}", "", "images/{part}/{directory}"])
def test_nlvr2(tmp_path: Path, layout: str) -> None:
    rows = []
    for number in range(6):
        pair = f"train-{number // 2}-{number % 2}"
        for image in (0, 1):
            folder = layout.format(part="train", directory=37)
            picture(tmp_path / folder / f"{pair}-img{image}.png")
        rows.append(
            {"identifier": f"{pair}-0", "sentence": "Two dogs.", "label": "True", "directory": 37, "writer": "1"}
        )
    rows[3]["label"] = "False"
    found = read_nlvr2(write_lines(tmp_path / "train.json", rows), tmp_path)
    assert [record.label for record in found] == [1, 1, 1, 0, 1, 1]
    assert [path.name for path in found[3].images] == ["train-1-1-img0.png", "train-1-1-img1.png"]
    assert (found[3].id, found[3].group, found[3].text) == ("train-1-1-0", "train-1", "Two dogs.")
    kept, heldout = split_by_image(found, 1 / 3, seed=0)
    assert {len(kept), len(heldout)} == {4, 2}
    assert not {record.group for record in kept} & {record.group for record in heldout}


def test_nlvr2_bad_rows(tmp_path: Path) -> None:
    for image in (0, 1):
        picture(tmp_path / f"dev-0-0-img{image}.png")
    picture(tmp_path / "dev-1-0-img0.png")
    good = {"identifier": "dev-0-0-0", "sentence": "Dogs.", "label": "True"}
    rows = [
        good,
        "{",
        {**good, "label": "neutral"},
        {**good, "identifier": "dev-0"},
        {**good, "identifier": "dev-1-0-0"},
    ]
    found = read_nlvr2(write_lines(tmp_path / "dev.json", rows), tmp_path, most_bad=0.8)
    assert [text.partition(":")[0] for text in found.bad] == ["line 2", "line 3", "line 4", "line 5"]
    assert "dev-1-0-img1.png: no such file" in found.bad[-1]


def test_karpathy(tmp_path: Path) -> None:
    def row(name: str, split: str, folder: str) -> dict[str, Any]:
        return {
            "filename": name,
            "filepath": folder,
            "split": split,
            "sentences": [{"raw": f" {name} {k}.", "tokens": []} for k in range(5)],
        }

    names = {
        "a.jpg": ("train", "train2014"),
        "b.jpg": ("restval", "val2014"),
        "c.jpg": ("val", "val2014"),
        "d.jpg": ("test", "val2014"),
    }
    rows = [row(name, split, folder) for name, (split, folder) in names.items()]
    for name, (_, folder) in names.items():
        picture(tmp_path / folder / name)
    path = tmp_path / "dataset_coco.json"
    path.write_text(json.dumps({"images": rows, "dataset": "coco"}))
    found = read_karpathy(path, tmp_path, "train")
    assert [record.id for record in found] == ["a.jpg", "b.jpg"]
    assert found[1] == Record(
        tmp_path / "val2014" / "b.jpg", captions=tuple(f"b.jpg {k}." for k in range(5)), id="b.jpg"
    )
    assert len(read_karpathy(path, tmp_path / "val2014", "test")) == 1
    with pytest.raises(InputError, match="did you mean 'train'"):
        read_karpathy(path, tmp_path, "trian")
    rows[2]["sentences"] = []
    path.write_text(json.dumps({"images": rows}))
    with pytest.raises(InputError, match=r"image c\.jpg: sentences: \[\]"):
        read_karpathy(path, tmp_path, "val")


def test_snli_ve(tmp_path: Path) -> None:
    picture(tmp_path / "123.jpg")
    base = {"Flickr30K_ID": "123", "sentence1": "A dog.", "sentence2": "An animal.", "pairID": "p"}
    labels = ["entailment", "contradiction", "-", "neutral", "-"]
    path = write_lines(tmp_path / "dev.jsonl", [{**base, "gold_label": label} for label in labels])
    found = read_snli_ve(path, tmp_path)
    assert [record.label for record in found] == [2, 0, 1]
    assert (found.unlabelled, found.bad, found[0].text) == (2, [], "An animal.")
    write_lines(path, [{**base, "gold_label": "maybe"}])
    with pytest.raises(InputError, match="label: 'maybe' is none of"):
        read_snli_ve(path, tmp_path)


def test_jsonl_of_every_task(tmp_path: Path) -> None:
    for name in "ab":
        picture(tmp_path / f"{name}.png")
    rows = [
        {"image": "a.png", "question": "q?", "answers": ["x", "x", "y"], "id": 7},
        {"image": "a.png", "sentence": "s", "label": True},
        {"image": "a.png", "image2": "b.png", "sentence": "s", "label": "False", "group": "g"},
        {"image": "b.png", "sentence": "s", "label": "neutral"},
        {"image": "b.png", "captions": ["c", " d "]},
        {"image": "b.png", "caption": "line\u2028separator"},
        {"image": "a.png", "label": 3},
        {"image": "a.png", "labels": {"red": 1, "round": 0.5, "green": 0}, "text": " t "},
        {"image": "a.png", "labels": []},
        {"image": "a.png", "value": -2.5},
    ]
    found = read_jsonl(write_lines(tmp_path / "q.jsonl", rows), tmp_path)
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    assert list(found) == [
        Record(first, "q?", {"x": 0.6, "y": 0.3}, given=("x", "x", "y"), id="7"),
        Record(first, "s", label=1),
        Record(first, "s", image2=second, label=0, group="g"),
        Record(second, "s", label=1),
        Record(second, captions=("c", "d")),
        Record(second, captions=("line\u2028separator",)),
        Record(first, label="3"),
        Record(first, "t", labels={"red": 1.0, "round": 0.5}),
        Record(first, labels={}),
        Record(first, value=-2.5),
    ]
    bad = [
        {"image": "a.png", "sentence": "s"},
        {"image": "a.png", "sentence": "s", "label": 3},
        {"image": "a.png", "image2": "none.png", "sentence": "s", "label": 1},
        {"image": "a.png", "captions": []},
        {"image": "a.png", "captions": ["c", 1]},
        {"image": "a.png", "question": "q?", "answers": {"x": 0}},
        [1],
    ]
    write_lines(tmp_path / "q.jsonl", [*rows, *bad])
    found = read_jsonl(tmp_path / "q.jsonl", tmp_path, most_bad=0.6)
    assert (len(found), len(found.bad)) == (10, 7)
    assert len(read_jsonl(tmp_path / "q.jsonl", tmp_path, require_answers=False, most_bad=0.6)) == 11


@pytest.mark.parametrize(
    "read",
    [
        lambda path, images: read_vqav2(path, path, images, split="train2014"),
        read_nlvr2,
        read_nlvr,
        lambda path, images: read_karpathy(path, images, "train"),
        read_snli_ve,
        read_jsonl,
    ],
)
def test_missing_files_are_named(tmp_path: Path, read: Callable[[Path, Path], Records]) -> None:
    with pytest.raises(InputError, match=r"gone\.json: no such file"):
        read(tmp_path / "gone.json", tmp_path)
    with pytest.raises(InputError, match="nowhere: no such image folder"):
        read(tmp_path / "gone.json", tmp_path / "nowhere")


@needs_shared
def test_shared_nlvr_groups_variants() -> None:
    found = read_nlvr(SHARED / "nlvr" / "dev.jsonl", SHARED / "nlvr" / "images")
    assert (len(found), len({record.group for record in found})) == (5934, 267)
    assert sum(record.label or 0 for record in found) / len(found) == pytest.approx(0.5531, abs=1e-4)
    kept, heldout = split_by_image(found, 0.1, seed=0)
    assert not {record.group for record in kept} & {record.group for record in heldout}
    assert len(kept) + len(heldout) == 5934


@needs_shared
def test_shared_captions_and_questions() -> None:
    flickr = read_jsonl(SHARED / "flickr8k" / "dev.jsonl", SHARED / "flickr8k" / "images")
    assert (len(flickr), sum(len(record.captions) for record in flickr)) == (1000, 5000)
    daquar = read_jsonl(SHARED / "daquar" / "dev.jsonl", SHARED / "daquar" / "images")
    assert (len(daquar), len(daquar.pictures())) == (658, 79)


@needs_shared
def test_a_part_cut_off_the_real_drawings_shares_none() -> None:
    found = read_nlvr(SHARED / "nlvr" / "dev.jsonl", SHARED / "nlvr" / "images")
    kept, heldout = split_by_image(found, 0.1, seed=0)
    assert len(kept) + len(heldout) == len(found)
    check_disjoint({"train": kept, "validation": heldout})
