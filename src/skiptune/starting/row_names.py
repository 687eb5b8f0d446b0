"""The fields of a row under the names that people give them, and the task they are for."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import get_args

from ..core.errors import InputError
from ..data.readers.values import label_of
from ..families.task_names import TaskName

#: Our field → other usual names of it.
_NAMES: Mapping[str, Sequence[str]] = {
    "image": (
        *("image_path", "img_path", "image_file", "image_name", "img", "file_name", "filename", "picture", "photo"),
        *("image1", "image_1", "file", "path", "image_id"),
    ),
    "image2": ("image_2", "img2", "second_image"),
    "question": ("query", "prompt", "question_text"),
    "answers": ("replies",),
    "answer": ("reply", "response", "answer_text", "multiple_choice_answer"),
    "sentence": ("statement", "hypothesis", "claim"),
    "captions": ("descriptions",),
    "caption": ("description", "title"),
    "labels": ("classes", "tags"),
    "label": ("class", "category", "class_name", "target", "gold_label"),
    "value": ("score", "rating", "number"),
}
_ENTAILMENT = ("contradiction", "neutral", "entailment")
#: What tells a kind of rows, the first that fits: fields of which all are there, and fields of which one is.
_KINDS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "vqa": (("question",), ("answer", "answers")),
    "statements": (("sentence",), ("label",)),
    "retrieval": ((), ("captions", "caption")),
    "regression": ((), ("value",)),
    "classification": ((), ("labels", "label")),
}
_IMAGES = ("image", "image2")
#: Fields of questions that only generation answers: several images, or choices of their own.
_OF_GENERATION = ("images", "options", "choices")


def column_names(names: Iterable[str], told: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our field → the name that it has among ``names``, for fields of one kind of rows that have another one there.

    Args:
        names: of the fields in the data.
        told: the names that the user gave to fields of ours.

    Raises:
        InputError: a name that the user gave is not there.
    """
    names, told = list(names), told or {}
    for field, name in told.items():
        if name not in names:
            raise InputError(f"--column {field}={name}: the data has no {name}; it has {', '.join(names)}")
    given = {_plain(name): name for name in names}
    usual = {name: given[other] for name, others in _NAMES.items() for other in (name, *others)[::-1] if other in given}
    if "question" not in usual and {"answer", "answers"} & usual.keys() and "text" in given:
        usual["question"] = given["text"]
    usual.update(told)
    captions = {"caption", "captions"} & {*given, *told}  # with these, readers take a row for one of retrieval
    kind = _kind_of(captions or usual.keys())
    wanted = (*_IMAGES, *(name for fields in _KINDS.get(kind or "", ()) for name in fields))
    found = {field: name for field, name in told.items() if field != name}
    for name in wanted:
        if name in usual and usual[name] != name and usual[name] not in found.values():
            found[name] = usual[name]
    return found


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def _kind_of(names: Collection[str]) -> str | None:
    found = set(names)
    return next((kind for kind, (all_of, one_of) in _KINDS.items() if {*all_of} <= found and {*one_of} & found), None)


def task_of_rows(rows: Sequence[Mapping[str, object]]) -> TaskName | None:
    """The task that rows with our names of fields are for; ``None``: of no task."""
    if any(map(_only_generation_answers, rows)):
        return "generation"
    named = {name for row in rows for name, value in row.items() if value is not None}
    if named & {"caption", "captions"}:  # as the readers take them
        return "retrieval"
    kind = _kind_of(named)
    if kind == "statements":
        return "entailment" if _is_entailment([row.get("label") for row in rows]) else "reasoning"
    if kind == "classification" and any(_is_measured(row.get("label")) for row in rows):
        return "regression"
    tasks: Mapping[str | None, TaskName] = {name: name for name in get_args(TaskName)}
    return tasks.get(kind)


def _only_generation_answers(row: Mapping[str, object]) -> bool:
    return row.get("question") is not None and any(row.get(name) is not None for name in _OF_GENERATION)


def _is_measured(label: object) -> bool:
    """Whether a label is a number with decimals, which names no class."""
    try:
        number = float(label) if isinstance(label, float | str) else 0.0
    except ValueError:
        return False
    return math.isfinite(number) and not number.is_integer()


def _is_entailment(labels: Sequence[object]) -> bool:
    """Whether labels are those of entailment, of which the third is no truth value."""
    for label in labels:
        try:
            label_of(label, ("false", "true"))
        except InputError:
            try:
                label_of(label, _ENTAILMENT)
            except InputError:
                continue
            return True
    return False
