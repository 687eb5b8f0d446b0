"""The names of the dialects."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

DialectName: TypeAlias = Literal["messages", "llava", "sharegpt", "swift"]
DIALECT_NAMES: tuple[DialectName, ...] = get_args(DialectName)
