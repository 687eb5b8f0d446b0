"""What the names of blocks say."""

from __future__ import annotations


def stack_of(name: str) -> str:
    """The stack that a block is in: what its name says before the block's number."""
    parts = name.split(".")
    number = next((place for place, part in enumerate(parts) if part.isdigit()), len(parts) - 1)
    return ".".join(parts[:number])
