"""A row of named values, from a JSON line or a table, as a record. Its fields tell the task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from ...core.errors import InputError
from ..pictures import Picture
from ..record import Record
from .collecting import Row, label_of, text_of

_SOFT_SCORE = 0.3


def row_record(row: Any, picture: Callable[[Row, str], Picture], require_answers: bool = True) -> Record:
    """The record of a row with ``image`` and

    - ``question`` and ``answer`` or ``answers`` (a list of texts, or a mapping from answer to count), or
    - ``sentence`` and ``label``, and ``image2`` when it is about a pair, or
    - ``captions`` (or one ``caption``).

    Args:
        row: the values.
        picture: gives the image that a field of the row names.
        require_answers: whether a question or sentence without answer or label is bad.

    Raises:
        InputError: the row is none of these.
    """
    if not isinstance(row, dict):
        raise InputError("expected an object with image, question and answer")
    image = picture(row, "image")
    rest: Row = {"image2": picture(row, "image2") if row.get("image2") is not None else None}
    rest["id"], rest["group"] = (str(row[name]) if row.get(name) is not None else "" for name in ("id", "group"))
    if row.get("captions") is not None or row.get("caption") is not None:
        captions = row["captions"] if row.get("captions") is not None else [row["caption"]]
        if not isinstance(captions, list) or not captions:
            raise InputError(f"captions: {captions!r} is not a list of texts")
        return Record(image, captions=tuple(text_of({"captions": text}, "captions") for text in captions), **rest)
    if "sentence" in row:
        known = require_answers or row.get("label") is not None
        label = label_of(row.get("label")) if known else None
        return Record(image, text_of(row, "sentence"), label=label, **rest)
    question, answers = text_of(row, "question"), _answers(row)
    if require_answers and not answers:
        raise InputError("answer: missing (or give answers, a list or a mapping from answer to count)")
    given = row.get("answers")
    return Record(image, question, answers, given=tuple(given) if isinstance(given, list) else (), **rest)


def _answers(row: Row) -> dict[str, float]:
    """Accepted answers of a row with their scores: ``min(1, 0.3 · count)``, and 1 for a single answer."""
    if isinstance(row.get("answer"), str | int | float) and not isinstance(row["answer"], bool):
        return {str(row["answer"]).strip(): 1.0}
    given = row.get("answers")
    if isinstance(given, list) and all(isinstance(answer, str) for answer in given):
        given = Counter(given)
    if given is None and row.get("answer") is None:
        return {}
    if not isinstance(given, dict) or not all(
        isinstance(count, int | float) and not isinstance(count, bool) and count > 0 for count in given.values()
    ):
        raise InputError("answer is not a text, and answers is neither a list of texts nor a mapping to counts above 0")
    return {str(answer).strip(): min(1.0, _SOFT_SCORE * count) for answer, count in given.items()}
