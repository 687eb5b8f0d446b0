"""Rows that say two things, and names that no file can have: bad rows, which never lose the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from skiptune import InputError
from skiptune.data.readers.jsonl import read_jsonl
from skiptune.data.readers.karpathy import read_karpathy
from skiptune.data.readers.nlvr import read_nlvr2
from skiptune.data.readers.vqav2 import read_vqav2
from skiptune.data.records import Records

QUESTIONS = "v2_OpenEnded_mscoco_train2014_questions.json"
TOO_LONG = "a" * 5000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("COCO_train2014_000000000009.jpg", "9.jpg", "dev-0-0-img0.png", "dev-0-0-img1.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    return tmp_path


def vqav2(folder: Path, questions: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> Records:
    (folder / QUESTIONS).write_text(json.dumps({"questions": questions}))
    (folder / "answers.json").write_text(json.dumps({"annotations": annotations}))
    return read_vqav2(folder / QUESTIONS, folder / "answers.json", folder, most_bad=0.9)


def lines(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def question(number: int, image: int = 9) -> dict[str, Any]:
    return {"question_id": number, "image_id": image, "question": "what?"}


def annotation(number: int, answers: list[str], **other: Any) -> dict[str, Any]:
    return {"question_id": number, "image_id": 9, "answers": [{"answer": answer} for answer in answers], **other}


def test_an_annotation_is_about_the_image_of_its_question(folder: Path) -> None:
    found = vqav2(folder, [question(1), question(2)], [annotation(1, ["red"], image_id=8), annotation(2, ["red"])])
    assert [record.id for record in found] == ["2"]
    assert found.bad == ["question 1: image_id: 9, and 8 in its annotation; which is right?"]


def test_blank_answers_of_annotators_are_as_empty_ones(folder: Path) -> None:
    answers = ["red", " ", "", "\t"]
    found = vqav2(folder, [question(1)], [annotation(1, answers, multiple_choice_answer=" ")])
    assert (found[0].given, found[0].answers, found[0].majority) == (("red", "", "", ""), {"red": 0.3}, "red")


def test_a_list_is_there_once(folder: Path) -> None:
    (folder / QUESTIONS).write_text(f'{{"questions": [], "questions": [{json.dumps(question(1))}]}}')
    with pytest.raises(InputError, match="'questions' is there twice"):
        read_vqav2(folder / QUESTIONS, None, folder)


def test_a_caption_is_among_captions(folder: Path) -> None:
    rows = [{"image": "9.jpg", "captions": ["a", "b"], "caption": caption} for caption in (" a ", None, "c")]
    found = read_jsonl(lines(folder, rows), folder, most_bad=0.9)
    assert [record.captions for record in found] == [("a", "b")] * 2
    assert found.bad == ["line 3: caption: 'c' is not among captions, ['a', 'b']; which is right?"]


def test_names_that_no_file_can_have_are_bad_rows(folder: Path) -> None:
    found = vqav2(folder, [question(1), question(2, image=10**280)], [annotation(1, ["red"]), annotation(2, ["red"])])
    assert (len(found), len(found.bad)) == (1, 1)
    pair = {"sentence": "s", "label": "True", "identifier": "dev-0-0-0"}
    others = [{"directory": TOO_LONG}, {"directory": "\0"}, {"identifier": f"{TOO_LONG}-0-0-0"}]
    found = read_nlvr2(lines(folder, [pair, *({**pair, **other} for other in others)]), folder, most_bad=0.9)
    assert (len(found), len(found.bad)) == (3, 1)
    image = {"filename": "9.jpg", "split": "val", "sentences": [{"raw": "a"}]}
    images = [image, {**image, "filepath": TOO_LONG}, {**image, "filename": TOO_LONG, "filepath": "val2014"}]
    (folder / "splits.json").write_text(json.dumps({"images": images}))
    found = read_karpathy(folder / "splits.json", folder, "val", most_bad=0.9)
    assert (len(found), len(found.bad)) == (2, 1)
