"""What a folder of data looks like: its format, its files by part, and the fields of its rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import InputError
from ..data.data_config import PARTS

_PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}


@dataclass(frozen=True)
class Layout:
    """A way to read a folder.

    Attributes:
        kind: what it is, in words.
        data: fields of a recipe's section ``data``; paths are absolute.
        task: name of the task that its rows are for; ``None``: it cannot be told.
        fields: of its rows, as they stand in the files, where they may be named otherwise.
    """

    kind: str
    data: Mapping[str, object]
    task: str | None
    fields: tuple[str, ...] = ()


def part_of(name: str) -> str | None:
    """The part that a file, folder or split is named after: ``train``, ``validation`` or ``test``."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((part for word in words if (part := _PARTS.get(word)) is not None), None)


def by_part(paths: Iterable[Path]) -> dict[str, Path]:
    """Files or folders by part; the only one is for training, and so is the first part there is.

    Raises:
        InputError: several, of which no name tells the part.
    """
    given = sorted(paths, key=lambda path: (len(path.name), path.name))
    found: dict[str, Path] = {}
    for path in given:
        part = part_of(path.name if path.is_dir() else path.stem)
        if part is not None:
            found.setdefault(part, path)
    if not found and len(given) > 1:
        names = ", ".join(path.name for path in given[:5])
        raise InputError(f"{given[0].parent}: {names}: name one of them, or call them train, validation and test")
    if given and "train" not in found:
        first = next((part for part in PARTS if part in found), "")
        found["train"] = found.pop(first, given[0])
    return found


def as_fields(files: Mapping[str, Path]) -> dict[str, str]:
    """Files by part as fields of the section ``data``."""
    return {part: str(files[part]) for part in PARTS if part in files}
