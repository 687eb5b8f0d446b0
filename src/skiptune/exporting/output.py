"""Where an export may be written."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import InputError
from ..core.output_folders import is_occupied, make_output_folder
from .manifest import is_slim
from .plain.record import is_plain


def check_output(directory: Path) -> None:
    """Refuse to write a model over something else, before any work; make the directories above it.

    Raises:
        InputError: a file is in the way, the directory holds something else, or cannot be made.
    """
    if is_occupied(directory) and not (is_slim(directory) or is_plain(directory)):
        raise InputError(f"{directory}: holds something else than a slim model; name another directory")
    make_output_folder(directory.parent)
