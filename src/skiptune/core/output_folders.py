"""The one guard of output directories: never write over something else."""

from __future__ import annotations

from pathlib import Path

from .errors import InputError


def is_occupied(folder: Path, field: str = "") -> bool:
    """Whether an output directory holds something; one that is missing does not.

    Args:
        folder: the directory.
        field: the field of the recipe that names it, for the message.

    Raises:
        InputError: it is a file.
    """
    if folder.exists() and not folder.is_dir():
        if field:
            raise InputError(f"{field}: {folder} is a file; name a directory")
        raise InputError(f"{folder}: a file is in the way; name a directory")
    return folder.is_dir() and any(folder.iterdir())


def make_output_folder(folder: Path, field: str = "") -> None:
    """Make a directory and those above it, as far as they are missing.

    Raises:
        InputError: it cannot be made; ``field`` is as in :func:`is_occupied`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        name = f"{field}: {folder}" if field else f"{folder}:"
        raise InputError(f"{name} cannot be made ({error.strerror}); name another one") from None
