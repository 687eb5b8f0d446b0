"""A row with a conversation as a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ....core.errors import InputError
from ....core.shown import shown
from ...pictures import Picture
from ...record import Record
from ...turns import Turn
from ..collecting import Row
from ..values import id_of
from .beside import images_beside, plain_image
from .dialects import DIALECTS
from .marked_text import text_of_turn
from .names import DialectName
from .placing import placed
from .said import Place, Said

#: Stand for objects in ms-swift's texts.
_BOXES = ("<bbox>", "<ref-object>")


def conversation_record(
    row: Mapping[str, Any], picture: Callable[[Row, str], Picture], dialect: DialectName, require_answers: bool = True
) -> Record:
    """The record of a conversation: its turns, and its images in the order of their places.

    Args:
        row: the values.
        picture: gives the image that a field of a row names.
        dialect: how the row is written.
        require_answers: whether a conversation that ends with a question is bad. Otherwise a blank last answer is none.

    Raises:
        InputError: names the field and the turn, and what is wrong there.
    """
    if tools := row.get("tools"):
        raise InputError(f"tools: {shown(tools)}; conversations with tools are not learnt")
    form = DIALECTS[dialect]
    turns = form.read(row)
    if row.get("objects") and any(mark in turn.text for turn in turns for mark in _BOXES):
        raise InputError(f"objects: {shown(row['objects'])}; boxes are not read, write them into the texts")
    turns = _with_system(_answered(turns, require_answers), row.get("system"))
    turns, named = placed(turns, images_beside(row), form.in_front)
    images = [picture_of_value(picture, value, name) for name, value in named]
    return Record(
        images[0] if images else None,
        turns=tuple(Turn(turn.role, tuple(_part(part) for part in turn.parts)) for turn in turns),
        further=tuple(images[1:]),
        id=id_of(row, "id"),
        group=id_of(row, "group"),
    )


def picture_of_value(picture: Callable[[Row, str], Picture], value: Any, name: str) -> Picture:
    """The image that a value is, whatever field of a row it was in; ``name`` is for messages.

    Raises:
        InputError: it is none.
    """
    found = plain_image(value, name)
    return found if isinstance(found, bytes) else picture({name: found}, name)


def _part(part: str | Place) -> str | None:
    return None if isinstance(part, Place) else part


def _answered(turns: list[Said], required: bool) -> list[Said]:
    """The turns, checked for answers."""
    if not required and turns[-1].role == "assistant" and not turns[-1].text.strip():
        turns = turns[:-1]
    for turn in turns:
        if turn.role == "assistant" and not turn.text.strip():
            raise InputError(f"{turn.field}: the answer is blank")
    if not any(turn.role == "user" for turn in turns):
        raise InputError(f"{turns[0].field if turns else 'messages'}: no turn is the user's")
    if required and turns[-1].role != "assistant":
        raise InputError(f"{turns[-1].field}: the last turn is the {turns[-1].role}'s; an answer is missing")
    return turns


def _with_system(turns: list[Said], system: Any) -> list[Said]:
    if system is None:
        return turns
    text = text_of_turn(system, "system")
    if not text.strip():
        return turns
    if turns[0].role == "system":
        if turns[0].text.strip() == text.strip():
            return turns
        raise InputError(f"system: {shown(system)}, and {shown(turns[0].text)} in the first turn; which is right?")
    return [Said("system", (text,), "system"), *turns]
