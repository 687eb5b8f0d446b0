"""How the tools write conversations, and how each is told by the fields of a row.

========  ==========================================  =====================================================
dialect   fields                                      images without a mark in the texts
========  ==========================================  =====================================================
messages  messages, or prompt and completion          stand before the first question (so does TRL)
llava     conversations with from and value           the row is bad: LLaVA's own code drops such images
sharegpt  conversations or messages, system           the row is bad (so is it for LLaMA-Factory)
swift     messages, or query, response and history    stand before the first question (so does ms-swift)
========  ==========================================  =====================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ....core.errors import InputError
from .exchanges import exchange, prompted
from .marked_text import NAMED
from .names import DialectName
from .said import Said
from .turns_in import turns_in

_LISTS = ("messages", "conversations", "conversation")


@dataclass(frozen=True)
class Dialect:
    """One way to write conversations.

    Attributes:
        read: a row to its turns.
        in_front: whether images that no text marks stand before the first question; otherwise the row is bad.
    """

    read: Callable[[Mapping[str, Any]], list[Said]]
    in_front: bool


def _listed(row: Mapping[str, Any], named: bool = False) -> list[Said]:
    name = next((name for name in _LISTS if row.get(name) is not None), None)
    if name is None:
        raise InputError("messages: missing (or conversations)")
    return turns_in(row[name], name, named)


def _messages(row: Mapping[str, Any]) -> list[Said]:
    return prompted(row) if row.get("messages") is None and row.get("prompt") is not None else _listed(row)


def _llava(row: Mapping[str, Any]) -> list[Said]:
    """As LLaVA-NeXT does: the only image of a turn stands at its beginning; several stay where they are."""
    return [_moved(turn) for turn in _listed(row)]


def _moved(turn: Said) -> Said:
    if turn.typed or len(turn.places) != 1:
        return turn
    text = turn.text.strip()
    return replace(turn, parts=(*turn.places, *([text] if text else [])))


def _swift(row: Mapping[str, Any]) -> list[Said]:
    if any(row.get(name) is not None for name in ("query", "instruction")):
        return exchange(row, named=True)
    return _listed(row, named=True)


DIALECTS: Mapping[DialectName, Dialect] = {
    "messages": Dialect(_messages, in_front=True),
    "llava": Dialect(_llava, in_front=False),
    "sharegpt": Dialect(_listed, in_front=False),
    "swift": Dialect(_swift, in_front=True),
}


def dialect_of(row: Mapping[str, Any]) -> DialectName | None:
    """The dialect of a row by its fields; ``None``: it is no conversation.

    A row with ``question`` is one only if it has a list of turns.
    """
    there = {name for name, value in row.items() if value is not None}
    if "messages" in there:
        return "swift" if not {"image", "images"} & there and _names_images(row["messages"]) else "messages"
    if there & {"conversations", "conversation"}:
        return "sharegpt" if "images" in there or "system" in there else "llava"
    if "question" in there:
        return None
    if {"prompt", "completion"} <= there or isinstance(row.get("prompt"), list):
        return "messages"
    if {"query", "response"} <= there or {"instruction", "output"} <= there or {"query", "history"} <= there:
        return "swift"
    return None


def _names_images(turns: Any) -> bool:
    """Whether a text names an image as ms-swift does."""
    contents = [turn.get("content") for turn in turns if isinstance(turn, Mapping)] if isinstance(turns, list) else []
    return any(isinstance(content, str) and NAMED.search(content) for content in contents)
