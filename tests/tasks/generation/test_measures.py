"""Measures of written answers, against values worked out by hand and the definitions of their papers."""

from __future__ import annotations

import pytest

from skiptune import Record
from skiptune.data.turns import Turn
from skiptune.tasks.generation.measures.accepted import accepted_answers
from skiptune.tasks.generation.measures.anls import anls, distance
from skiptune.tasks.generation.measures.exact_match import exact_match
from skiptune.tasks.generation.measures.relaxed_accuracy import relaxed_accuracy
from skiptune.tasks.generation.measures.vqa_accuracy import vqa_accuracy
from skiptune.tasks.generation.measures.written import measures_of


def answered(*answers: str, **fields: object) -> Record:
    return Record(None, "what", dict.fromkeys(answers, 1.0), **fields)  # type: ignore[arg-type]


SOFT = Record(None, "what", {"red": 1.0, "dark red": 0.3})


@pytest.mark.parametrize(
    ("answer", "right", "score"),
    [
        ("Red.", "red", 1),
        (" a  red\nhat ", "A red hat", 1),
        ("red", "red .", 1),
        ("Stra\N{LATIN SMALL LETTER SHARP S}e", "strasse", 1),
        ("cafe\N{COMBINING ACUTE ACCENT}", "caf\N{LATIN SMALL LETTER E WITH ACUTE}", 1),
        ("the red hat", "red hat", 0),
        ("red!", "red", 0),
        ("two", "2", 0),
        (".", ".", 1),
        ("", ".", 0),
        ("3.50", "3.5", 0),
    ],
)
def test_exact_match(answer: str, right: str, score: float) -> None:
    assert exact_match(answer, answered("something", right)) == score


def test_every_accepted_answer_matches() -> None:
    assert exact_match("dark red", SOFT) == 1
    assert vqa_accuracy("Dark red.", SOFT) == 0.3
    assert vqa_accuracy("blue", SOFT) == 0


def test_soft_accuracy_is_the_official_one_of_ten_annotators() -> None:
    given = ("two dogs",) * 2 + ("2 dogs",) + ("cats",) * 7
    record = answered("cats", given=given)
    assert vqa_accuracy("2 dogs", record) == pytest.approx((3 * 2 / 3 + 7 * 1) / 10)  # three say so, normalised
    assert vqa_accuracy("The two dogs", record) == vqa_accuracy("2 dogs", record)
    assert vqa_accuracy("Yes", answered("yes", given=("yes",) * 10)) == 0  # where all agree nothing is normalised


@pytest.mark.parametrize(
    ("answer", "right", "score"),
    [
        ("red", "red", 1),
        ("RED  hat", "red hat", 1),
        ("rod", "red", 2 / 3),
        ("rodd", "red", 0),  # NL is 0.5
        ("kitten", "sitting", 1 - 3 / 7),
        ("", "red", 0),
        ("something quite different", "red", 0),
    ],
)
def test_anls(answer: str, right: str, score: float) -> None:
    assert anls(answer, answered("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", right)) == pytest.approx(score)


def test_edit_distance() -> None:
    assert [distance(*pair) for pair in (("", ""), ("", "abc"), ("flaw", "lawn"), ("intention", "execution"))] == [
        0,
        3,
        2,
        5,
    ]


@pytest.mark.parametrize(
    ("answer", "right", "score"),
    [
        ("105", "100", 1),
        ("105.1", "100", 0),
        ("-95", "-100", 1),
        ("95", "-100", 0),
        ("52%", "0.5", 1),
        ("1,040.", "1000", 1),
        ("0", "0.0", 1),
        ("0.01", "0", 0),
        ("Yes", "yes", 1),
        ("nan", "nan", 1),
        ("inf", "100", 0),
    ],
)
def test_relaxed_accuracy(answer: str, right: str, score: float) -> None:
    assert relaxed_accuracy(answer, answered(right)) == score


def test_the_last_answer_of_a_conversation_is_the_right_one() -> None:
    turns = (Turn("user", ("a",)), Turn("assistant", ("b",)), Turn("user", ("c",)), Turn("assistant", (" d ",)))
    assert accepted_answers(Record(None, turns=turns)) == {"d": 1.0}
    assert accepted_answers(Record(None, turns=turns[:3])) == {}
    assert accepted_answers(Record(None, captions=("one", "two"))) == {"one": 1.0, "two": 1.0}


def test_measures_that_say_something() -> None:
    assert list(measures_of([answered("red")], "anls")) == ["anls", "exact_match"]
    assert list(measures_of([answered("red"), SOFT], "exact_match")) == ["exact_match", "vqa_accuracy", "anls"]
    assert list(measures_of([answered("7")], "exact_match")) == ["exact_match", "anls", "relaxed_accuracy"]
    assert list(measures_of([Record(None, captions=("one",))], "exact_match")) == ["exact_match"]
