"""What a conversion leaves in answers is told; what only looks like it is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import skiptune as st
from conftest import draw_square

SPOILT = {
    "no_value": ["nan", "None", "N/A", "null", "...", "?"],
    "written_value": ["['a', 'b']", "b'a bed'", "{'answer': 'a'}", "a &quot;red&quot; bed", "a bed<br/>"],
    "several_turns": ["red\nUSER: and the lamp? ASSISTANT: white", "red ### Human: and?"],
    "refusal": ["I'm sorry, but I cannot see the image.", "As an AI language model, I do not see."],
    "empty_answer": ["\u200b", "\u200e\u2060"],
    "special_token": ["a bed<\uff5cend\u2581of\u2581sentence\uff5c>", "a bed<|turn_end|>"],
    "literal_placeholder": ["<image_soft_token> a bed", "a bed</image>"],
    "swapped": ["what is on the table?"],
}
SOUND = [
    "none", "nothing", "no", "2", "3.5 %", "+", "a bed.", "it says [no]", "I'm sorry to see the dog sad", "x < y > z",
    "the user: a man", "a|b", "the assistant: a nurse", "AT&T", "\U0001f468\u200d\U0001f469", "the [1] sign", "\u2264",
]  # fmt: skip


def kinds_of(answer: str, picture: Path) -> set[str]:
    rows = [{"image": str(picture), "question": "describe it", "answer": answer}]
    return {finding.kind for finding in st.check_data({"train": rows}, show=0).findings}


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    draw_square(tmp_path / "a.png", 0)
    return tmp_path / "a.png"


@pytest.mark.parametrize("kind", SPOILT)
def test_spoilt_answers_are_told(kind: str, picture: Path) -> None:
    assert [answer for answer in SPOILT[kind] if kind not in kinds_of(answer, picture)] == []


def test_sound_answers_are_not(picture: Path) -> None:
    assert {answer: found for answer in SOUND if (found := kinds_of(answer, picture))} == {}


def test_all_places_are_in_the_report(picture: Path) -> None:
    rows = [{"image": str(picture), "question": f"what is {number}?", "answer": "nan"} for number in range(8)]
    report = st.check_data({"train": rows}, show=0)
    assert len(next(each for each in report.to_dict()["findings"] if each["kind"] == "no_value")["examples"]) == 8


def test_an_image_twice_in_a_row_is_told(picture: Path) -> None:
    rows = [{"images": [str(picture)] * 2, "question": "alike?", "answer": "yes"}]
    assert st.check_data({"train": st.records(rows, "generation")}, show=0).found("repeated_image") == 1


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        ({"from": "gpt", "value": None}, "turn 2: value: None; the answer is blank"),
        ({"from": "gpt", "value": ["a", "b"]}, "turn 2: value: ['a', 'b'] are 2 texts; a turn has one answer"),
        ({"value": "a"}, "turn 2: role: missing (or from)"),
    ],
)
def test_refused_turns_name_the_field(turn: dict[str, object], told: str, tmp_path: Path) -> None:
    row = {"conversations": [{"from": "human", "value": "what?"}, turn]}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(st.InputError) as error:
        st.read_conversations(tmp_path / "rows.jsonl", "llava")
    assert told in str(error.value)
