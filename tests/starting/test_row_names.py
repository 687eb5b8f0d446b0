"""Fields under the names that people give them, and the task that they tell."""

from __future__ import annotations

from typing import Any

import pytest

from skiptune import InputError
from skiptune.data.readers.renaming import renamed
from skiptune.starting.row_names import column_names, task_of_rows


@pytest.mark.parametrize(
    ("row", "task", "columns"),
    [
        ({"image": "a", "question": "b", "answer": "c"}, "vqa", {}),
        (
            {"Image": "a", "Query": "b", "Answers": ["c"]},
            "vqa",
            {"image": "Image", "question": "Query", "answers": "Answers"},
        ),
        ({"file-name": "a", "text": "b", "answer": "c"}, "vqa", {"image": "file-name", "question": "text"}),
        ({"image": "a", "question": "b", "answer": "c", "score": 1, "title": "d", "class": "e"}, "vqa", {}),
        ({"image": "a", "img": "z", "question": "b", "answer": "c"}, "vqa", {}),
        (
            {"img": "a", "img2": "b", "claim": "c", "label": True},
            "reasoning",
            {"image": "img", "image2": "img2", "sentence": "claim"},
        ),
        ({"image": "a", "sentence": "c", "label": 2}, "entailment", {}),
        ({"path": "a", "description": "b"}, "retrieval", {"image": "path", "caption": "description"}),
        ({"image": "a", "caption": "b", "category": "c"}, "retrieval", {}),
        ({"image": "a", "category": "c", "text": "d"}, "classification", {"label": "category"}),
        ({"image": "a", "tags": ["c"]}, "classification", {"labels": "tags"}),
        ({"image": "a", "label": 2.5}, "regression", {}),
        ({"image": "a", "label": "2.5"}, "regression", {}),
        ({"image": "a", "label": 2.0}, "classification", {}),
        ({"image": "a", "label": "nan"}, "classification", {}),
        ({"image": "a", "rating": 2.5}, "regression", {"value": "rating"}),
        ({"image": "a", "colour": "b"}, None, {}),
    ],
)
def test_fields_are_found_and_tell_the_task(row: dict[str, Any], task: str | None, columns: dict[str, str]) -> None:
    assert column_names(row) == columns
    found = renamed(row, columns)
    assert isinstance(found, dict)
    assert task_of_rows([found]) == task


def test_names_that_a_user_gives_go_before_usual_ones() -> None:
    assert column_names(["image", "rating", "age"], {"value": "age"}) == {"value": "age"}
    assert column_names(["image", "title", "alt"], {"caption": "alt"}) == {"caption": "alt"}
    assert column_names(["image", "value"], {"value": "value"}) == {}
    with pytest.raises(InputError, match="the data has no ages; it has image, age"):
        column_names(["image", "age"], {"value": "ages"})
