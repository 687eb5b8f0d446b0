"""VQAv2 as published: a file of questions, a file of annotations, and folders of COCO images."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import InputError
from ...core.shown import shown
from ..answers import answer_text, soft_scores
from ..record import Record
from ..records import Records
from .collecting import Entry, RowChecks, collect, image_folder, there
from .json_array import read_array
from .values import number_of, text_of, value_of

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
        questions: e.g. ``v2_OpenEnded_mscoco_train2014_questions.json``, or OK-VQA's without ``v2_``.
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
        found = next((path for path in tried if there(path)), None)
        if found is None:
            raise InputError(f"image: no such file: {' or '.join(map(str, tried))}")
        return found

    def make(row: tuple[Any, Any]) -> list[Record]:
        question, annotation = row
        if isinstance(question, InputError):
            raise question
        text, number = text_of(question, "question"), str(number_of(question, "question_id"))
        path = path_of(number_of(question, "image_id"))
        if annotations is None:
            return [Record(path, text, id=number)]
        given, majority = _given(annotation, annotations)
        about, image = annotation.get("image_id"), question.get("image_id")
        if isinstance(about, int | float) and about != image:
            raise InputError(f"image_id: {shown(image)}, and {shown(about)} in its annotation; which is right?")
        return [Record(path, text, soft_scores(given), given=given, majority=majority, id=number)]

    rows = read_array(questions, "questions")
    if annotations is None:
        entries: Iterator[Entry] = ((_place(entry), (entry[1], None)) for entry in rows)
    else:
        entries = _joined(rows, read_array(annotations, "annotations"))
    return collect(str(questions), entries, make, **checks)


def _folders(images: Path, part: str) -> tuple[Path, list[Path]]:
    """Where images with the names of 2014 are, and those with the names of 2017.

    In 2017 the images were newly distributed over training and validation, so an image of 2014 may be in either folder.
    """
    parts = ("test2017",) if part.startswith("test") else ("train2017", "val2017")
    new = [images / name for name in parts if (images / name).is_dir()]
    old = images / part if (images / part).is_dir() else images
    return old, new or [old]


def _joined(questions: Iterator[Entry], annotations: Iterator[Entry]) -> Iterator[Entry]:
    """Questions with their annotations. Published files have the same order; other orders need more memory.

    A bad annotation does not tell whose it is. It goes to the first question that is left without one.
    """
    early: dict[Any, Any] = {}
    waiting: dict[Any, Entry] = {}
    bad: list[InputError] = []

    def take(entry: Entry) -> Iterator[Entry]:
        """Keep an annotation, or give it to the question that waits for it."""
        number, annotation = _number(entry[1]), entry[1]
        if isinstance(annotation, InputError):
            bad.append(InputError(f"annotation: {entry[0]}: {annotation}"))
        elif number in waiting:
            other = waiting.pop(number)
            yield _place(other), (other[1], annotation)
        else:
            early[number] = annotation

    for question in questions:
        if (entry := next(annotations, None)) is not None:
            yield from take(entry)
        number = _number(question[1])
        if number is not None and number in early:
            yield _place(question), (question[1], early.pop(number))
        elif number is None or number in waiting:
            yield _place(question), (question[1], None)
        else:
            waiting[number] = question
    for entry in annotations:
        yield from take(entry)
    for question in waiting.values():
        yield _place(question), (question[1], bad.pop(0) if bad else None)


def _number(row: Any) -> Any:
    number = row.get("question_id") if isinstance(row, dict) else None
    return number if isinstance(number, int | float | str) and number == number else None


def _place(entry: Entry) -> str:
    """The question's number; in the file, if it has none."""
    number = _number(entry[1])
    return entry[0] if number is None else f"question {number}"


def _given(annotation: Any, source: str | Path) -> tuple[tuple[str, ...], str]:
    """The answers of all annotators, and the most common one: OK-VQA's annotations do not name it.

    Raises:
        InputError: there is no annotation, or no answer that could be right.
    """
    if annotation is None:
        raise InputError(f"no annotation for it in {source}")
    if isinstance(annotation, InputError):
        raise annotation
    answers = value_of(annotation, "answers")
    if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
        raise InputError("answers: expected a list of objects with a text answer")
    # annotators may have left their answer blank; the official accuracy counts them all the same
    found = [answer.get("answer") for answer in answers]
    given = tuple("" if _blank(answer) else answer_text(answer, "answers") for answer in found)
    counts = Counter(filter(None, given))
    if not counts:
        raise InputError("answers: none of them has a text")
    named = annotation.get("multiple_choice_answer")
    if named is None or _blank(named):
        return given, counts.most_common(1)[0][0]
    return given, answer_text(named, "multiple_choice_answer")


def _blank(answer: Any) -> bool:
    return isinstance(answer, str) and not answer.strip()
