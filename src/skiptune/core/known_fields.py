"""Dataclasses that show what is known alone."""

from __future__ import annotations

from dataclasses import fields
from typing import Any


class KnownFields:
    """A dataclass whose fields are ``None`` where they are not known: those are neither shown nor written."""

    def to_dict(self) -> dict[str, Any]:
        """The fields that are known; JSON values."""
        found = ((field.name, getattr(self, field.name)) for field in fields(self))  # type: ignore[arg-type]
        return {name: value for name, value in found if value is not None}

    def __repr__(self) -> str:
        known = ", ".join(f"{name}={value!r}" for name, value in KnownFields.to_dict(self).items())
        return f"{type(self).__name__}({known})"
