"""Whether a slim model knows a file from its training or its search: a number measured on it is too good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core.files import file_sha256
from .exported import read_exported
from .measures import Measures

_SENTENCES = {
    "train": "the model was trained on records of this file, so what is measured on it is too good",
    "validation": "the plan was chosen on records of this file, so what is measured on it is likely too good",
}


def exported_extra(folder: Path) -> dict[str, Any]:
    """The ``extra`` of a slim model or a plain checkpoint.

    Raises:
        InputError: it is neither, or edited.
    """
    return read_exported(folder).extra


def told_of(path: Path, measures: Measures) -> str | None:
    """A sentence about records of a file that a model has seen; ``None``: it has not seen the file, as far as known."""
    if not measures.seen or not path.is_file():
        return None
    part = measures.seen.get(file_sha256(path))
    chosen = part == "train" or (part is not None and measures.compared_on == part)
    return f"{path}: {_SENTENCES[part]}" if chosen and part in _SENTENCES else None
