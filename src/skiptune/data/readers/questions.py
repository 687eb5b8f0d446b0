"""A row with a question or captions for generation: one image, several or none; answers, or choices and one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...core.errors import InputError
from ...core.formatting import counted
from ..answers import answer_text
from ..pictures import Picture
from ..record import Record
from .collecting import Row
from .conversations.beside import images_beside
from .conversations.conversation_record import picture_of_value
from .conversations.marked_text import MARK
from .row_answers import answers_of, chosen, options_of
from .values import id_of, text_of

#: Fields that may hold the question.
_QUESTIONS = ("question", "text", "query", "prompt", "instruction")
_ANSWERS = ("answer", "response", "output", "completion")


def question_record(
    row: Row, picture: Callable[[Row, str], Picture], captions: tuple[str, ...], required: bool
) -> Record:
    """The record of a row with ``question`` and ``answer``, ``answers`` or choices; or with captions.

    Args:
        row: the values.
        picture: gives the image that a field of the row names.
        captions: of the row; none: it has a question.
        required: whether a row without answer is bad.

    Raises:
        InputError: a field is missing or holds what it cannot.
    """
    named = images_beside(row)
    if row.get("image2") is not None:
        named.append(("image2", row["image2"]))
    images = [picture_of_value(picture, value, name) for name, value in named]
    rest: Row = {"further": tuple(images[1:]), "id": id_of(row, "id"), "group": id_of(row, "group")}
    image = images[0] if images else None
    if captions:
        return Record(image, captions=captions, **rest)
    question = _question(row, len(images))
    options = options_of(row)
    row = {**row, "answer": next((row[name] for name in _ANSWERS if row.get(name) is not None), None)}
    if options and row["answer"] is not None:
        row = {**row, "answer": chosen(row["answer"], options)}
    answers, given = answers_of(row, required)
    texts = tuple(answer_text(text, f"options: {letter}") for letter, text in options.items())
    return Record(image, question, answers, given=given, options=texts, **rest)


def _question(row: Mapping[str, Any], images: int) -> str:
    """The question, without marks of images in front of it, below the ``hint`` that it has."""
    text = _asked(row, images)
    hint = row.get("hint")
    return text if hint is None or hint == "" else f"{text_of(row, 'hint')}\n{text}"


def _asked(row: Mapping[str, Any], images: int) -> str:
    name = next((name for name in _QUESTIONS if row.get(name) is not None), None)
    if name is None:
        raise InputError("question: missing, and so are messages, conversations, query and captions; give one of them")
    text = text_of(row, name)
    marks = text.count(MARK)
    if not marks:
        return text
    if marks != images:
        found = f"{counted(marks, 'places')} for {counted(images, 'images')}"
        raise InputError(f"{name}: <image>: {found}; images stand before the question without it, take it out")
    before, _, after = text.rpartition(MARK)
    if before.replace(MARK, "").strip() or not after.strip():
        raise InputError(f"{name}: <image> stands inside the question or alone; write the row as messages")
    return after.strip()
