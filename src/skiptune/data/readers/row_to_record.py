"""A row of named values, from a JSON line or a table, as a record. Its fields tell the task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...core.errors import InputError
from ...core.shown import shown
from ..pictures import Picture
from ..record import Record
from .collecting import Row
from .conversations.conversation_record import conversation_record
from .conversations.dialects import dialect_of
from .questions import question_record
from .row_answers import answers_of
from .row_labels import every_field, is_labelled, labelled
from .values import id_of, label_of, text_of

#: The task whose rows may be conversations.
GENERATION = "generation"
#: Tasks whose rows have only certain fields; those of others may have all.
_NAMED = ("vqa", "reasoning", "retrieval", "entailment", "classification", "regression")
#: Task → the field that a row's ``text`` stands for.
_TEXT_OF = {"vqa": "question", "reasoning": "sentence", "entailment": "sentence"}
#: Task → the field that tells its rows.
_KEY = {**_TEXT_OF, "retrieval": "captions"}
_NONE_OF = ", and so are sentence, captions, label and value, of which one tells the task"


def row_record(
    row: Any,
    picture: Callable[[Row, str], Picture],
    require_answers: bool = True,
    labels: Sequence[str] = (),
    task: str = "",
) -> Record:
    """The record of a row with ``image`` and

    - ``question`` and ``answer`` or ``answers`` (a list of answers, or a mapping from answer to count), or
    - ``sentence`` and ``label``, and ``image2`` when it is about a pair, or
    - ``captions`` (or one ``caption``), or
    - ``label``, a class, or ``labels`` (a list, or a mapping from label to score), with or without ``text``, or
    - ``value``, a number, with or without ``text``;

    for generation a conversation in one of :mod:`.conversations.dialects`, or a question, or captions, with one image,
    several or none.

    Args:
        row: the values.
        picture: gives the image that a field of the row names.
        require_answers: whether a question or sentence without answer or label is bad.
        labels: names of the task's classes, in order; none: of all tasks.
        task: the name of the task; empty: the fields tell it.

    Raises:
        InputError: the row is none of these.
    """
    if not isinstance(row, dict):
        raise InputError("expected a row of named fields: image, and those of the task")
    talks = task == GENERATION or (not task and row.get("question") is None)
    if talks and (dialect := dialect_of(row)) is not None:
        return conversation_record(row, picture, dialect, require_answers)
    if task == GENERATION:
        return question_record(row, picture, _captions(row), require_answers)
    image = picture(row, "image")
    rest: Row = {"image2": picture(row, "image2") if row.get("image2") is not None else None}
    rest["id"], rest["group"] = id_of(row, "id"), id_of(row, "group")
    row = _with_usual_text(row, task)
    if task and task not in _NAMED:
        return Record(image, **every_field(row, answers_of), **rest)
    if is_labelled(row, task):
        return Record(image, **labelled(row, task, require_answers), **rest)
    if captions := _captions(row):
        return Record(image, captions=captions, **rest)
    if row.get("sentence") is not None:
        known = require_answers or row.get("label") is not None
        label = label_of(row.get("label"), labels) if known else None
        return Record(image, text_of(row, "sentence"), label=label, **rest)
    if row.get("question") is None:
        raise InputError(f"{_KEY.get(task, 'question')}: missing{_NONE_OF if not task else ''}")
    question = text_of(row, "question")
    answers, given = answers_of(row, require_answers)
    return Record(image, question, answers, given=given, **rest)


def _with_usual_text(row: Row, task: str) -> Row:
    """The row, its ``text`` under the name that the task has for it, unless it has one under that."""
    name = _TEXT_OF.get(task)
    return row if name is None or row.get(name) is not None else {**row, name: row.get("text")}


def _captions(row: Row) -> tuple[str, ...]:
    """The captions of a row; none: it has no such field."""
    if row.get("captions") is None and row.get("caption") is None:
        return ()
    captions = row["captions"] if row.get("captions") is not None else [row["caption"]]
    if not isinstance(captions, list) or not captions:
        raise InputError(f"captions: {shown(captions)} is not a list of texts")
    texts = tuple(text_of({"captions": text}, "captions") for text in captions)
    if row.get("caption") is not None and text_of(row, "caption") not in texts:
        raise InputError(f"caption: {shown(row['caption'])} is not among captions, {shown(captions)}; which is right?")
    return texts
