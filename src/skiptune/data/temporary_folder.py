"""A process's own folder of temporary files, removed when it ends, or by a later process if it was killed."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from contextlib import suppress
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock

_PREFIX, _LOCK = "skiptune-", ".lock"
_WAIT = 1.0  # seconds for a lock that no other process knows of


@cache
def temporary_folder(process: int) -> Path:
    """The folder of the process with this id, which must be the caller's own; a forked child does not remove it.

    A file beside the folder is locked for as long as the process lives. The system lets go of the lock of a process
    that was killed; where only files can be locks (no ``fcntl``), it is the process id in that file that tells.
    """
    from filelock import FileLock, Timeout

    remove_abandoned_folders()
    folder = Path(tempfile.gettempdir()) / f"{_PREFIX}{uuid.uuid4().hex}"
    lock = FileLock(folder.with_name(folder.name + _LOCK), thread_local=False)
    try:
        lock.acquire(timeout=_WAIT)  # before there is a folder, so that nobody takes it for abandoned
    except (Timeout, OSError, NotImplementedError):  # some network file systems have no locks
        Path(lock.lock_file).unlink(missing_ok=True)  # without this file nobody ever removes the folder but its owner
    folder.mkdir(mode=0o700)

    def remove() -> None:
        if os.getpid() == process:
            shutil.rmtree(folder, ignore_errors=True)
            _remove_lock(lock)

    Finalize(None, remove, exitpriority=0)  # also runs at the end of multiprocessing's children
    return folder


def remove_abandoned_folders() -> None:
    """Remove what killed processes left behind."""
    from filelock import FileLock, Timeout

    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*{_LOCK}"):
        lock = FileLock(path)
        with suppress(Timeout, OSError, NotImplementedError):  # in use, another user's, or just removed
            lock.acquire(timeout=0)
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)
            _remove_lock(lock)


def _remove_lock(lock: BaseFileLock) -> None:
    with suppress(OSError):  # Windows does not delete open files; releasing the lock does
        Path(lock.lock_file).unlink()
    lock.release()
