"""Temporary files beside what is being written: their names, and which of them nobody writes any more."""

from __future__ import annotations

import hashlib
import itertools
import os
import platform
import re
import shutil
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

_MACHINE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
_TOKEN, _NUMBERS = uuid.uuid4().hex[:8], itertools.count()
#: ``.NAME.MACHINE-PROCESS-TOKEN-NUMBER.tmp``; version 0.3 had the process alone.
_NAME = re.compile(
    r"\.(?P<name>.+)\.(?:(?P<machine>[0-9a-f]{8})-)?(?P<process>\d+)(?:-(?P<token>[0-9a-f]{8})-\d+)?\.(?:tmp|old)"
)
#: Seconds without a change after which another machine's file counts as abandoned.
_PATIENCE = 3600.0


def temporary_beside(path: Path, ending: str = "tmp") -> Path:
    """A name that no other process or thread uses: ``tmp`` for what is being written, ``old`` for what it replaces."""
    return path.with_name(f".{path.name}.{_MACHINE}-{os.getpid()}-{_TOKEN}-{next(_NUMBERS)}.{ending}")


def is_temporary(path: Path) -> bool:
    """Whether a file or directory has the name of a temporary one."""
    return _NAME.fullmatch(path.name) is not None


def tidy(path: Path) -> None:
    """Remove what killed processes left beside ``path``; put back what one of them had moved away from there."""
    with suppress(OSError):
        for entry in sorted(path.parent.iterdir()):
            found = _NAME.fullmatch(entry.name)
            if found is None or found["name"] != path.name or not _is_abandoned(entry, found):
                continue
            if entry.suffix == ".old" and not os.path.lexists(path):
                entry.rename(path)
            else:
                remove(entry)


def remove(path: Path) -> None:
    """Remove a file, a link or a directory, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_abandoned(path: Path, found: re.Match[str]) -> bool:
    if found["machine"] in (None, _MACHINE) and sys.platform != "win32":  # there, asking would end the process
        process = int(found["process"])
        return not _is_alive(process) if process != os.getpid() else str(found["token"]) != _TOKEN
    entries = [path, *(path.rglob("*") if path.is_dir() else ())]
    newest: float = max(entry.lstat().st_mtime for entry in entries)
    return time.time() - newest > _PATIENCE


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        return True
    return True
