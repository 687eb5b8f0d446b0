"""Texts that mark the places of images: ``<image>``, and ms-swift's ``<img>file.jpg</img>``."""

from __future__ import annotations

import re
from typing import Any

from ....core.errors import InputError
from ....core.shown import shown
from ... import record_fields as fields
from ...turns import Role
from .said import Part, Place, Said

#: Stands for the next image beside the conversation.
MARK = "<image>"
#: Names the file of an image.
NAMED = re.compile(r"<img>(.+?)</img>", re.DOTALL)


def text_of_turn(value: Any, field: str) -> str:
    """A turn's text, which may be blank; a number as its digits.

    Raises:
        InputError: it is no text.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        from ...answers import answer_text

        return answer_text(value, field)
    if not isinstance(value, str):
        raise InputError(f"{field}: {shown(value)} is not a text")
    return fields.text(value, field)


def plain_turn(role: Role, text: str, field: str, named: bool) -> Said:
    """A turn whose content is one text, see :func:`marked`; in an answer nothing marks an image."""
    return Said(role, (text,) if role == "assistant" else marked(text, named), field)


def marked(text: str, named: bool = False) -> tuple[Part, ...]:
    """The parts of a text with marks. White space between marks at its beginning and the text goes: the model's chat
    template writes what belongs there.

    Args:
        text: of a turn.
        named: whether ``<img>file.jpg</img>`` is a mark, too.
    """
    if MARK not in text and not (named and "<img>" in text):
        return (text,)
    found: list[Part] = []
    pieces = NAMED.split(text) if named else [text]
    for number, piece in enumerate(pieces):
        if number % 2:
            found.append(Place(piece.strip()))
            continue
        for position, inner in enumerate(piece.split(MARK)):
            if position:
                found.append(Place())
            if inner:
                found.append(inner)
    return _without_space_in_front(found)


def _without_space_in_front(parts: list[Part]) -> tuple[Part, ...]:
    found: list[Part] = []
    leading = bool(parts) and (isinstance(parts[0], Place) or not parts[0].strip())
    for part in parts:
        if leading and isinstance(part, str):
            part = part.lstrip()
            leading = not part
        if part != "":
            found.append(part)
    return tuple(found)
