"""The lock of a directory that one process writes at a time."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from weakref import WeakValueDictionary

from .errors import InputError

LOCK = "run.lock"
_held: WeakValueDictionary[Path, FolderLock] = WeakValueDictionary()


class FolderLock:
    """Held for as long as the object lives. The system lets go of the lock of a process that was killed.

    Raises:
        InputError: another process holds it, or nothing can be written there.
    """

    def __init__(self, folder: Path, field: str) -> None:
        from filelock import FileLock, Timeout

        self._lock = FileLock(folder / LOCK, thread_local=False)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise InputError(
                f"{field}: {folder} is in use by another run; wait for its end, or name another output"
            ) from None
        except PermissionError as error:
            raise InputError(f"{field}: {folder} cannot be written to ({error.strerror}); name another one") from None
        except (OSError, NotImplementedError):  # some network file systems have no locks
            return

    def release(self) -> None:
        """Let go of it before the object's end."""
        self._lock.release(force=True)


def hold(folder: Path, field: str) -> FolderLock:
    """The lock of a directory, which is there; within a process, whoever asks gets the same one."""
    key = folder.resolve()
    found = _held.get(key)
    if found is None:
        found = _held[key] = FolderLock(folder, field)
    return found


def drop(folder: Path) -> None:
    """Let go of a directory's lock and remove the file; the directory too, if nothing is in it."""
    found = _held.pop(folder.resolve(), None)
    if found is not None:
        found.release()
    with suppress(OSError):
        (folder / LOCK).unlink(missing_ok=True)
        folder.rmdir()
