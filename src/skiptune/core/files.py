"""Files: written whole or not at all, and digests."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import RunError
from .process import is_disk_failure

_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG)


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary file or directory beside ``path``, then rename it over ``path``.

    Raises:
        RunError: the disk is full or not writable; what was at ``path`` before is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        if temporary.is_dir() and path.exists():
            outgoing = path.with_name(f".{path.name}.{os.getpid()}.old")
            path.rename(outgoing)
            temporary.rename(path)
            shutil.rmtree(outgoing)
        else:
            temporary.replace(path)
    except Exception as error:
        reason = getattr(error, "errno", None)
        if reason in _UNWRITABLE or is_disk_failure(error):
            raise RunError(f"{path}: could not be written ({error}); what was there before is unchanged") from error
        raise
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def file_sha256(path: Path, start: int = 0) -> str:
    """SHA-256 of a file, from byte ``start`` on."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(start)
        for chunk in iter(lambda: file.read(2**20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole or not at all."""

    def write(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")

    write_atomically(path, write)


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON, whole or not at all. NaN and infinity are refused."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
