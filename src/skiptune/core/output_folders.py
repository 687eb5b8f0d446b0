"""The one guard of outputs: never write over something else."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import InputError
from .files import write_text
from .temporaries import is_temporary


def behind_links(path: Path) -> Path:
    """Where an output that a user names is written: into the target of a symbolic link, which stays a link.

    Raises:
        InputError: the link leads into a directory that is missing, or to itself.
    """
    if not path.is_symlink():
        return path
    target = Path(os.path.realpath(path))
    if target.is_symlink() or not target.parent.is_dir():
        raise InputError(f"{path}: a symbolic link to {path.readlink()}, which is not there; name another output")
    return target


def is_occupied(folder: Path, field: str = "") -> bool:
    """Whether an output directory holds something; one that is missing does not, nor do temporary files of a killed
    process count.

    Args:
        folder: the directory.
        field: the field of the recipe that names it, for the message.

    Raises:
        InputError: it is a file, or cannot be read.
    """
    name = f"{field}: {folder}" if field else f"{folder}:"
    if folder.exists() and not folder.is_dir():
        if field:
            raise InputError(f"{field}: {folder} is a file; name a directory")
        raise InputError(f"{folder}: a file is in the way; name a directory")
    try:
        return folder.is_dir() and any(not is_temporary(entry) for entry in folder.iterdir())
    except OSError as error:
        raise InputError(f"{name} cannot be read ({error.strerror}); name another one") from None


def make_output_folder(folder: Path, field: str = "") -> None:
    """Make a directory and those above it, as far as they are missing.

    Raises:
        InputError: it cannot be made; ``field`` is as in :func:`is_occupied`.
    """
    try:
        behind_links(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        name = f"{field}: {folder}" if field else f"{folder}:"
        raise InputError(f"{name} cannot be made ({error.strerror}); name another one") from None


def write_new_text(path: Path, text: str, force: bool = False) -> None:
    """Write a UTF-8 text file that a user names.

    Args:
        path: the file.
        text: its content.
        force: replace a file that is there.

    Raises:
        InputError: there is something, and ``force`` is not given, or it is a directory.
        RunError: the disk is full or not writable.
    """
    if path.is_dir():
        raise InputError(f"{path}: a directory is in the way; name a file")
    if path.exists() and not force:
        raise InputError(f"{path}: is there already; name another file, or replace it with --force")
    write_text(behind_links(path), text)
