"""Turns of a conversation about images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from ..core.errors import InputError
from ..core.shown import shown
from . import record_fields as fields

Role: TypeAlias = Literal["system", "user", "assistant"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class Turn:
    """What one side says.

    Attributes:
        role: who says it.
        parts: texts, and ``None`` where the next of the record's images stands. Neighbouring texts are one.

    Raises:
        InputError: another role, or a part that is neither.
    """

    role: Role
    parts: tuple[str | None, ...]

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise InputError(f"role: {shown(self.role)} is none of {', '.join(ROLES)}")
        given: Any = self.parts
        if isinstance(given, str) or not isinstance(given, Sequence):
            raise InputError(f"parts: {shown(given)} is not a list of texts, with null where an image stands")
        joined: list[str | None] = []
        for part in given:
            if part is not None:
                fields.text(part, "parts")
            if isinstance(part, str) and joined and isinstance(joined[-1], str):
                joined[-1] += part
            elif part != "":
                joined.append(part)
        object.__setattr__(self, "parts", tuple(joined))

    @property
    def text(self) -> str:
        """The texts without the images."""
        return "".join(part for part in self.parts if part is not None)

    @property
    def images(self) -> int:
        """How many images stand in it."""
        return self.parts.count(None)


def turns(value: Any, name: str) -> tuple[Turn, ...]:
    """Turns, or pairs of role and parts.

    Raises:
        InputError: something else.
    """
    if isinstance(value, tuple) and all(isinstance(entry, Turn) for entry in value):
        return value
    if not isinstance(value, list | tuple):
        raise InputError(f"{name}: {shown(value)} is not a list of turns")
    found = []
    for number, entry in enumerate(value, start=1):
        try:
            found.append(entry if isinstance(entry, Turn) else Turn(*entry))
        except InputError as error:
            raise InputError(f"{name}: turn {number}: {error}") from None
        except TypeError:
            raise InputError(f"{name}: turn {number}: {shown(entry)} is not a role with its parts") from None
    return tuple(found)


def to_json(value: Sequence[Turn]) -> str | None:
    """The text that a table of records holds; nothing for no turns."""
    return json.dumps([[turn.role, list(turn.parts)] for turn in value]) if value else None


def from_json(text: str | None) -> tuple[Turn, ...]:
    """The turns of :func:`to_json`."""
    return () if text is None else tuple(Turn(role, tuple(parts)) for role, parts in json.loads(text))
