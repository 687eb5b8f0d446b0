"""Rows with one question and its answer in fields of their own, and the exchanges before them: ms-swift's older form
(``query``, ``response``), Alpaca's (``instruction``, ``input``, ``output``) and TRL's ``prompt`` and ``completion``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....core.errors import InputError
from ....core.shown import shown
from ...turns import Role
from .marked_text import plain_turn, text_of_turn
from .said import Said
from .turns_in import turns_in

#: The field of the question → the fields of what goes with it, and of the answer.
_NAMES = {"query": ("", "response"), "instruction": ("input", "output")}


def exchange(row: Mapping[str, Any], named: bool) -> list[Said]:
    """The turns of a row with ``query`` or ``instruction``, and ``history``: a list of pairs of question and answer.

    Raises:
        InputError: a field holds something else.
    """
    question = next(name for name in _NAMES if row.get(name) is not None)
    more, answer = _NAMES[question]
    found: list[Said] = []
    history = row.get("history")
    if history is not None and not isinstance(history, list | tuple):
        raise InputError(f"history: {shown(history)} is not a list of pairs of question and answer")
    for number, pair in enumerate(history or (), start=1):
        place = f"history: pair {number}"
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise InputError(f"{place}: {shown(pair)} is not a question with its answer")
        found += [_said("user", pair[0], place, named), _said("assistant", pair[1], place, named)]
    found.append(_said("user", row[question], question, named, row.get(more)))
    return found if row.get(answer) is None else [*found, _said("assistant", row[answer], answer, named)]


def _said(role: Role, value: Any, field: str, named: bool, more: Any = None) -> Said:
    text = text_of_turn(value, field)
    if more is not None and (added := text_of_turn(more, "input")):
        text = f"{text}\n{added}"
    return plain_turn(role, text, field, named)


def prompted(row: Mapping[str, Any]) -> list[Said]:
    """The turns of a row with ``prompt`` and ``completion``, each a text or a list of messages.

    Raises:
        InputError: they hold something else.
    """
    sides: tuple[tuple[Role, str], ...] = (("user", "prompt"), ("assistant", "completion"))
    found: list[Said] = []
    for role, name in sides:
        value = row.get(name)
        if isinstance(value, list | tuple):
            found += turns_in(value, name)
        elif value is not None or role == "user":
            found.append(_said(role, value, name, False))
    return found
