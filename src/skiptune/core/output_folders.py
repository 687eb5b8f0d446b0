"""The one guard of output directories: never write over something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .errors import InputError


def check_output_folder(
    folder: Path, otherwise: str, ours: Callable[[Path], bool] | None = None, field: str = ""
) -> None:
    """Refuse an output directory that holds something else. Nothing is made.

    Args:
        folder: the directory; it may be missing or empty.
        otherwise: what the message says of a directory with other content, and what to do about it.
        ours: whether a directory with content may be used; ``None``: it may not.
        field: the field of the recipe that names the directory, for the message.

    Raises:
        InputError: it is a file, or holds something else.
    """
    if folder.exists() and not folder.is_dir():
        file = "is a file" if field else "a file is in the way"
        raise InputError(f"{_named(folder, field)} {file}; name a directory")
    if folder.is_dir() and any(folder.iterdir()) and not (ours is not None and ours(folder)):
        raise InputError(f"{_named(folder, field)} {otherwise}")


def make_output_folder(folder: Path, field: str = "") -> None:
    """Make a directory and those above it, as far as they are missing.

    Raises:
        InputError: it cannot be made; ``field`` is as in :func:`check_output_folder`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{_named(folder, field)} cannot be made ({error.strerror}); name another one") from None


def _named(folder: Path, field: str) -> str:
    return f"{field}: {folder}" if field else f"{folder}:"
