"""VQAv2 as published: a file of questions, a file of annotations, and folders of COCO images."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import InputError
from ..answers import soft_scores
from ..record import Record
from ..records import Records
from .collecting import Entry, Row, RowChecks, collect, image_folder, text_of
from .json_array import read_array

if TYPE_CHECKING:
    from typing_extensions import Unpack

_SPLIT = re.compile(r"(train|val|test)(?:-dev)?(20\d\d)")


def read_vqav2(
    questions: str | Path,
    annotations: str | Path | None,
    images: str | Path,
    split: str | None = None,
    **checks: Unpack[RowChecks],
) -> Records:
    """The questions with soft scores, all annotators' answers and the most common one.

    Args:
        questions: e.g. ``v2_OpenEnded_mscoco_train2014_questions.json``.
        annotations: e.g. ``v2_mscoco_train2014_annotations.json``; ``None`` for test questions.
        images: folder with ``COCO_train2014_000000000009.jpg``, … in it or in its folder ``train2014``, or with the
            names of 2017, ``000000000009.jpg``, … in it or in its folders ``train2017`` and ``val2017`` (``test2017``).
        split: the images' part, e.g. ``val2014``; read off the name of ``questions`` if not given.
        checks: see :class:`skiptune.data.readers.collecting.RowChecks`.

    Raises:
        InputError: a file is missing or not of the published form, or too many rows are bad.
    """
    found = _SPLIT.search(split or Path(questions).name)
    if found is None:
        raise InputError(f"{questions}: cannot tell which images it is about; give split, e.g. split='train2014'")
    part = "".join(found.groups())
    old, new = _folders(image_folder(images), part)

    @lru_cache(maxsize=1024)  # questions about one image are near each other
    def path_of(image: int) -> Path:
        name = f"{image:012d}.jpg"
        tried = [old / f"COCO_{part}_{name}", *(folder / name for folder in new)]
        found = next((path for path in tried if path.exists()), None)
        if found is None:
            raise InputError(f"image: no such file: {' or '.join(map(str, tried))}")
        return found

    def make(row: tuple[Any, Any]) -> list[Record]:
        question, annotation = row
        text, image, number = text_of(question, "question"), question.get("image_id"), question.get("question_id")
        for name, value in (("image_id", image), ("question_id", number)):
            if not isinstance(value, int):
                raise InputError(f"{name}: {value!r} is not a whole number")
        path = path_of(image)
        if annotations is None:
            return [Record(path, text, id=str(number))]
        if annotation is None:
            raise InputError(f"no annotation for it in {annotations}")
        given = _given(annotation)
        majority = text_of(annotation, "multiple_choice_answer")
        return [Record(path, text, soft_scores(given), given=given, majority=majority, id=str(number))]

    if annotations is None:
        entries: Iterator[Entry] = ((_place(row), (row, None)) for row in read_array(questions, "questions"))
    else:
        entries = _joined(read_array(questions, "questions"), read_array(annotations, "annotations"))
    return collect(str(questions), entries, make, **checks)


def _folders(images: Path, part: str) -> tuple[Path, list[Path]]:
    """Where images with the names of 2014 are, and those with the names of 2017.

    In 2017 the images were newly distributed over training and validation, so an image of 2014 may be in either folder.
    """
    parts = ("test2017",) if part.startswith("test") else ("train2017", "val2017")
    new = [images / name for name in parts if (images / name).is_dir()]
    old = images / part if (images / part).is_dir() else images
    return old, new or [old]


def _joined(questions: Iterator[Any], annotations: Iterator[Any]) -> Iterator[Entry]:
    """Questions with their annotations. Published files have the same order; other orders need more memory."""
    early: dict[Any, Any] = {}
    waiting: dict[Any, Any] = {}
    for question in questions:
        number, annotation = _number(question), next(annotations, None)
        if annotation is not None and _number(annotation) != number:
            other = waiting.pop(_number(annotation), None)
            if other is not None:
                yield _place(other), (other, annotation)
            else:
                early[_number(annotation)] = annotation
            annotation = None
        annotation = annotation or early.pop(number, None)
        if annotation is not None:
            yield _place(question), (question, annotation)
        elif number is None or number in waiting:
            yield _place(question), (question, None)
        else:
            waiting[number] = question
    for annotation in annotations:
        other = waiting.pop(_number(annotation), None)
        if other is not None:
            yield _place(other), (other, annotation)
    for other in waiting.values():
        yield _place(other), (other, None)


def _number(row: Any) -> Any:
    number = row.get("question_id") if isinstance(row, dict) else None
    return number if isinstance(number, int | str) else None


def _place(row: Any) -> str:
    return f"question {_number(row)}"


def _given(annotation: Row) -> tuple[str, ...]:
    try:
        given = tuple(answer["answer"] for answer in annotation["answers"])
    except (KeyError, TypeError):
        given = ()
    if set(map(type, given)) != {str}:
        raise InputError("answers: expected a list of objects with a text answer")
    return given
