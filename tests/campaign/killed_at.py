"""The command line, killed where it changes a file, or at a time."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from threading import Timer

import torch

from skiptune.cli.main import main

_MADE = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "shutil.rmtree")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_at(when: str, folder: str, command: Sequence[str]) -> None:
    """Run a command in this process.

    Args:
        when: number of the change of a file before which the process sends itself ``SIGKILL``, so that a kill is at
            the same place whenever it is tried again; or ``2.5s``: after so many seconds, wherever that is. ``0`` kills
            nowhere, and prints the number of changes as the last line of standard error.
        folder: changes of files in it are counted: opened to write, renamed, removed, made.
        command: of ``skiptune``.
    """
    seconds = float(when[:-1]) if when.endswith("s") else None
    number = int(when) if seconds is None else 0
    changes = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal changes
        if event == "open":
            path, _, flags = arguments
            if not (isinstance(flags, int) and flags & _WRITING):
                return
        elif event in _MADE:
            path = arguments[0]
        else:
            return
        if isinstance(path, str | bytes | os.PathLike) and folder in os.fsdecode(path):
            changes += 1
            if changes == number:
                die()

    sys.addaudithook(watch)
    if seconds is not None:
        timer = Timer(seconds, die)
        timer.daemon = True
        timer.start()
    torch.set_num_threads(1)
    sys.argv = ["skiptune", *command]
    try:
        main()
    finally:
        print(changes, file=sys.stderr, flush=True)
