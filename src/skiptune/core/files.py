"""Files: written whole or not at all, and digests."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .errors import InputError, RunError, first_line
from .process import is_disk_failure
from .temporaries import remove, temporary_beside, tidy

_UNWRITABLE = tuple(
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EFBIG", "EIO", "ENOTDIR", "EEXIST", "ENAMETOOLONG")
    if hasattr(errno, name)
)
#: What a file system says that has nothing to bring to the disk.
_NOTHING_TO_FLUSH = (errno.EINVAL, errno.ENOTSUP)


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary file or directory beside ``path``, then rename it over ``path``.

    It is on the disk before it is renamed, so that it is whole or not there after a loss of power too. A symbolic link
    is replaced, not followed; :func:`skiptune.core.output_folders.behind_links` follows those that a user names.

    Raises:
        InputError: a directory is in the way of a file.
        RunError: the disk is full or not writable; what was at ``path`` before is still there.
    """
    temporary = temporary_beside(path)
    with telling_of(path, "; what was there before is unchanged"):
        path.parent.mkdir(parents=True, exist_ok=True)
        tidy(path)
        try:
            write(temporary)
            _flush(temporary)
            _put(temporary, path)
            _flush_folder(path.parent)
        finally:
            remove(temporary)


@contextmanager
def telling_of(path: Path, more: str = "") -> Iterator[None]:
    """Name ``path`` where a file cannot be written.

    Raises:
        RunError: the disk is full or not writable; ``more`` stands at the end of the message.
    """
    try:
        yield
    except (InputError, RunError):
        raise
    except Exception as error:
        if getattr(error, "errno", None) not in _UNWRITABLE and not is_disk_failure(error):
            raise
        reason = getattr(error, "strerror", None) or first_line(error)
        raise RunError(f"{path}: could not be written ({reason}){more}") from error


def _put(temporary: Path, path: Path) -> None:
    """Rename ``temporary`` over ``path``; a directory, which no rename replaces, is moved away before."""
    if not temporary.is_dir():
        if path.is_dir():
            raise InputError(f"{path}: a directory is in the way; name a file")
        temporary.replace(path)
        return
    if not os.path.lexists(path):
        temporary.rename(path)
        return
    outgoing = temporary_beside(path, "old")
    path.rename(outgoing)
    try:
        temporary.rename(path)
    except OSError:
        outgoing.rename(path)
        raise
    remove(outgoing)


def _flush(path: Path) -> None:
    """Bring a file, or a directory with all that is in it, to the disk."""
    if not path.is_dir():
        flush_file(path)
        return
    for entry in path.iterdir():
        _flush(entry)
    _flush_folder(path)


def flush_file(path: Path) -> None:
    """Bring what was written to a file to the disk.

    Raises:
        OSError: the disk is full, or fails.
    """
    if os.name == "nt":  # flushes only what may be written
        with suppress(PermissionError), path.open("r+b") as file:
            os.fsync(file.fileno())
        return
    _flush_entry(path)


def _flush_folder(path: Path) -> None:
    """Bring the names in a directory to the disk; Windows does so by itself."""
    if os.name != "nt":
        _flush_entry(path)


def _flush_entry(path: Path) -> None:
    entry = os.open(path, os.O_RDONLY)
    try:
        os.fsync(entry)
    except OSError as error:
        if error.errno not in _NOTHING_TO_FLUSH:
            raise
    finally:
        os.close(entry)


def file_sha256(path: Path, start: int = 0) -> str:
    """SHA-256 of a file, from byte ``start`` on."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(start)
        for chunk in iter(lambda: file.read(2**20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def holding(content: bytes) -> Callable[[Path], None]:
    """What :func:`write_atomically` is to call for a file with this ``content``."""

    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole or not at all."""

    def write(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")

    write_atomically(path, write)


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON, whole or not at all. NaN and infinity are refused."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
