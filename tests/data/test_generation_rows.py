"""Questions with answers or choices, and captions, as rows for generation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import skiptune as st
from conftest import draw_square
from skiptune import InputError
from skiptune.data.parts import read_for_evaluation
from skiptune.data.readers.csv_table import read_csv
from skiptune.data.readers.jsonl import read_jsonl
from skiptune.data.record import Record
from skiptune.tasks.registry import TASKS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pictures")
    for number, name in enumerate(("a.png", "b.png")):
        draw_square(made / name, number)
    return made


def one(folder: Path, **row: Any) -> Record:
    return st.records([row], "generation", images=folder, most_bad=0)[0]


def test_answers_are_texts_letters_or_numbers_of_choices(folder: Path) -> None:
    asked: dict[str, Any] = {"image": "a.png", "question": "which?"}
    for answer in ("dog", "B", "b", "(B)", "B.", 1, "1"):
        for choices in (
            {"options": ["cat", "dog"]},
            {"choices": ("cat", "dog")},
            {"options": {"A": "cat", "B": "dog"}},
            {"A": "cat", "B": "dog", "C": None},
            {"options": '["cat", "dog"]'},
        ):
            found = one(folder, **asked, **choices, answer=answer)
            assert (found.answers, found.options) == ({"dog": 1.0}, ("cat", "dog")), (answer, choices)
    assert one(folder, **asked, options=[1, 2, 3], answer=2).answers == {"2": 1.0}, "choices are numbers themselves"
    assert one(folder, **asked, options=["3", "1", "2"], answer=2).answers == {"2": 1.0}, "a place, counted from 0"
    assert one(folder, **asked, options=["2", "1", "3"], answer="2").answers == {"2": 1.0}, "a text before a place"
    assert one(folder, **asked, options=["B", "A"], answer="B").answers == {"B": 1.0}, "a text before a letter"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"options": ["cat", "dog"], "answer": "C"}, "answer: 'C' is none of the choices ['cat', 'dog']"),
        ({"options": ["cat", "dog"], "answer": 2}, "answer: 2 is no place among 2 choices, counted from 0"),
        ({"options": ["cat"], "answer": "cat"}, "options: ['cat'] holds one choice"),
        ({"options": 3, "answer": "cat"}, "options: 3 is neither a list of choices nor"),
        ({"options": ["cat", " "], "answer": "cat"}, "options: B: ' ' is neither a text nor a finite number"),
        ({}, "answer: missing"),
        ({"answer": " "}, "answer: ' ' is neither a text"),
        ({"answer": float("nan")}, "answer: nan is neither a text"),
        ({"question": "is <image> red?", "answer": "x"}, "<image> stands inside the question or alone"),
        ({"question": "<image><image>red?", "answer": "x"}, "question: <image>: 2 places for 1 image; images stand"),
        ({"question": None, "answer": "x"}, "question: missing, and so are messages, conversations"),
        ({"question": " ", "answer": "x"}, "question: ' ' is not a text"),
    ],
)
def test_nonsense_is_refused(folder: Path, row: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        one(folder, **{"image": "a.png", "question": "which?", **row})
    assert words in str(error.value)


def test_images_are_one_several_or_none(folder: Path) -> None:
    counts = [
        (1, {"image": "a.png", "question": "<image>\nred?"}),
        (2, {"images": ["a.png", "b.png"], "question": "alike?"}),
        (2, {"image": "a.png", "image2": "b.png", "question": "alike?"}),
        (0, {"question": "hello?"}),
        (0, {"image": None, "query": "hello?"}),
    ]
    for count, row in counts:
        found = one(folder, **row, answer="yes")
        assert len(found.images) == count
        assert "<image>" not in found.text
    assert one(folder, question="red?", hint="Look.", answer="yes").text == "Look.\nred?"
    captioned = one(folder, image="a.png", caption="a square")
    assert captioned.captions == ("a square",)


def test_files_have_the_same_rows(folder: Path) -> None:
    rows = [
        {"image": "a.png", "question": "which?", "options": ["cat", "dog"], "answer": "B", "id": 1},
        {"image": "a.png", "question": "which?", "options": None, "answer": "cat", "id": "1"},
    ]
    lines = folder / "rows.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = folder / "rows.csv"
    table.write_text('image,question,options,answer,id\na.png,which?,"[""cat"", ""dog""]",B,1\na.png,which?,,cat,1\n')
    checks = TASKS["generation"].row_checks()
    found = [[(x.text, x.answers, x.options, x.id) for x in r] for r in (
        read_jsonl(lines, folder, **checks), read_csv(table, folder, **checks)
    )]  # fmt: skip
    assert found[0] == found[1] == [("which?", {"dog": 1.0}, ("cat", "dog"), "1"), ("which?", {"cat": 1.0}, (), "1")]


def test_an_evaluation_predicts_rows_without_answers(folder: Path) -> None:
    path = folder / "asked.jsonl"
    path.write_text(json.dumps({"image": "a.png", "question": "which?"}))
    checks = TASKS["generation"].row_checks()
    (found,) = read_for_evaluation("jsonl", str(path), {"images": str(folder)}, checks)
    assert not found.answers
    with pytest.raises(InputError, match="answer: missing"):
        read_for_evaluation("jsonl", str(path), {"images": str(folder)}, TASKS["vqa"].row_checks())
