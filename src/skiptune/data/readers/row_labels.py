"""A row with labels or a number, for classification and regression; and one of a task of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...core.errors import InputError
from ...core.shown import shown
from .. import record_fields as fields
from ..answers import answer_text
from .collecting import Row
from .values import text_of

#: Names that the text of a row may have, beside those of other tasks.
_TEXTS = ("text", "sentence", "question")


def is_labelled(row: Row, task: str) -> bool:
    """Whether a row is one of classification or regression: it says so, or the task does."""
    own = row.get("labels") is not None or row.get("value") is not None
    other = any(row.get(name) is not None for name in ("sentence", "question", "image2"))
    return task in _READ if task else own or (row.get("label") is not None and not other)


def labelled(row: Row, task: str, required: bool) -> Row:
    """The text, and the label, the labels or the value, as a record has them.

    Args:
        row: the values.
        task: ``classification``, ``regression``, or empty: what the row's fields say.
        required: whether a row without label or value is bad.

    Raises:
        InputError: a field holds what it cannot, or is missing.
    """
    found: Row = {"text": _text(row)}
    kind = task or ("regression" if row.get("value") is not None else "classification")
    known = _READ[kind](row)
    if required and all(value is None for value in known.values()):
        if kind == "regression":
            raise InputError("value: missing; give a number")
        raise InputError("label: missing (or give labels, a list or a mapping from label to score)")
    return {**found, **known}


def every_field(row: Row, answers: Callable[[Row], tuple[dict[str, float], tuple[str, ...]]]) -> Row:
    """All that a row of a task of one's own has, as a record has it; ``answers`` reads ``answer`` and ``answers``.

    Raises:
        InputError: a field holds what it cannot.
    """
    known, given = answers(row)
    captions = row.get("captions") or ([row["caption"]] if row.get("caption") is not None else [])
    found: Row = {"text": _text(row), "answers": known, "given": given}
    labels = _labels(row) if row.get("label") is not None or row.get("labels") is not None else {}
    value = fields.number(row.get("value"), "value")
    return {**found, **labels, "captions": fields.captions(captions, "captions"), "value": value}


def _text(row: Row) -> str:
    """The text, which may be missing or blank."""
    name = next((name for name in _TEXTS if row.get(name) is not None), None)
    if name is None or (isinstance(row[name], str) and not row[name].strip()):
        return ""
    return text_of(row, name)


def _labels(row: Row) -> Row:
    label, labels = row.get("label"), fields.labels(row.get("labels"), "labels")
    if label is None:
        return {"labels": labels}
    name = ("false", "true")[label] if isinstance(label, bool) else answer_text(label, "label")
    if labels is None:
        return {"label": name}
    if name not in labels:
        raise InputError(f"label: {shown(label)} is not among labels, {shown(list(labels))}; which is right?")
    return {"labels": labels}


def _value(row: Row) -> Row:
    value: Any = row.get("value")
    name = "label" if value is None else "value"
    return {"value": fields.number(row.get(name), name)}


_READ = {"classification": _labels, "regression": _value}
