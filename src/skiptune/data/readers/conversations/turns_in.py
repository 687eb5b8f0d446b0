"""The turns in a list of messages: ``role`` and ``content``, or ``from`` and ``value``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....core.errors import InputError
from ....core.shown import shown
from ..json_text import parse
from .marked_text import plain_turn, text_of_turn
from .roles import role_of
from .said import Said
from .typed_parts import typed_parts

_ROLE, _CONTENT = ("role", "from"), ("content", "value")


def turns_in(value: Any, name: str, named: bool = False) -> list[Said]:
    """The turns of a conversation.

    Args:
        value: the list.
        name: of the row's field that holds it.
        named: whether ``<img>file.jpg</img>`` in a text is an image.

    Raises:
        InputError: no list, or a turn that cannot be read; the message names it.
    """
    if isinstance(value, str) and value.lstrip().startswith("["):  # in a table of texts
        value = parse(value)
    if not isinstance(value, list | tuple) or not value:
        raise InputError(f"{name}: {shown(value)} is not a list of turns")
    return [_turn(entry, f"{name}: turn {number}", named) for number, entry in enumerate(value, start=1)]


def _turn(entry: Any, field: str, named: bool) -> Said:
    if not isinstance(entry, Mapping):
        raise InputError(f"{field}: {shown(entry)} is not an object with role and content, or from and value")
    role_field, content_field = _key(entry, _ROLE), _key(entry, _CONTENT)
    if entry.get(role_field) is None:
        raise InputError(f"{field}: role: missing (or from)")
    role = role_of(entry[role_field], f"{field}: {role_field}")
    if entry.get("tool_calls"):
        raise InputError(f"{field}: tool_calls: {shown(entry['tool_calls'])}; conversations with tools are not learnt")
    not_learnt = next((name for name in ("loss", "weight", "train") if _off(entry, name)), None)
    if role == "assistant" and not_learnt is not None:
        raise InputError(f"{field}: {not_learnt}: {shown(entry[not_learnt])}; all answers of a conversation are learnt")
    content, where = entry.get(content_field), f"{field}: {content_field}"
    if isinstance(content, list | tuple):
        if role == "assistant" and len(content) > 1 and all(isinstance(part, str) for part in content):
            raise InputError(f"{where}: {shown(content)} are {len(content)} texts; a turn has one answer")
        return Said(role, typed_parts(content, where), field, typed=True)
    if content is None or content != content:  # NaN, as tables have it
        raise InputError(
            f"{where}: {shown(content)}; " + ("the answer is blank" if role == "assistant" else "it is empty")
        )
    return plain_turn(role, text_of_turn(content, where), field, named)


def _key(entry: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The name that a turn has for a value; the first, if it has none of them."""
    there = [name for name in names if name in entry]
    return next((name for name in there if entry[name] is not None), (there or names)[0])


def _off(entry: Mapping[str, Any], name: str) -> bool:
    return name in entry and entry[name] is not None and not entry[name]
