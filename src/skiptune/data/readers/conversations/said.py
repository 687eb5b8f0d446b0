"""What a row says before its images are found: turns with texts, and places for images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from ...turns import Role


@dataclass(frozen=True)
class Place:
    """A place for an image.

    Attributes:
        image: what stands there itself; ``None``: the next of the images beside the conversation.
    """

    image: Any = None


Part: TypeAlias = "str | Place"


@dataclass(frozen=True)
class Said:
    """One turn.

    Attributes:
        role: who says it.
        parts: texts, and places for images.
        field: where it stands in the row, for messages.
        typed: whether its parts have types, so that images stand in it as parts or not at all.
    """

    role: Role
    parts: tuple[Part, ...]
    field: str
    typed: bool = False

    @property
    def text(self) -> str:
        """The texts without the images."""
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def places(self) -> list[Place]:
        """The places for images."""
        return [part for part in self.parts if isinstance(part, Place)]
