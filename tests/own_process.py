"""The command line in a process of its own, which has what takes seconds to import from the start.

A server imports it once a session, and makes each process by a fork: that can be killed, exits and writes as any other.
Where the system cannot fork, processes begin from nothing.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

#: Imported once. Everything that a run needs comes with them.
_ALREADY = (
    "torch", "transformers", "transformers.trainer", "peft", "skiptune.cli.main", "skiptune.running.run",
    "skiptune.exporting.export", "skiptune.reporting.report",
    *(f"transformers.models.{name}" for name in ("vilt.modeling_vilt", "bert.tokenization_bert")),
)  # fmt: skip


class OwnProcess:
    """A function that runs in a process of its own.

    Args:
        work: a function of a module.
        given: its arguments.
        environment: in addition to that of this process.
    """

    def __init__(self, work: Callable[..., None], *given: Any, environment: Mapping[str, str] | None = None) -> None:
        folder = tempfile.mkdtemp()
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._texts = tuple(Path(folder) / name for name in ("out", "err"))
        surrounding = (Path.cwd(), {**os.environ, **(environment or {})}, self._texts)
        self._process = _context().Process(target=_work, args=(surrounding, work, given))
        self._process.start()

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; ``None``: it goes on."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """As ``returncode``."""
        return self.returncode

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()

    def wait(self, timeout: float = 240) -> int:
        """The exit code, once it has ended; after so many seconds it is killed."""
        return self.ended(timeout).returncode

    def ended(self, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """The exit code and what it wrote, once it has ended; after so many seconds it is killed."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        out, err = (text.read_text("utf-8") if text.is_file() else "" for text in self._texts)
        return subprocess.CompletedProcess("skiptune", self._process.exitcode, out, err)


def command(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> OwnProcess:
    """``skiptune ARGUMENTS``, started."""
    return OwnProcess(_command, [str(each) for each in arguments], environment=environment)


def _context() -> Any:
    kind = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(kind)
    if kind == "forkserver":
        context.set_forkserver_preload(list(_ALREADY))
    return context


def _work(
    surrounding: tuple[Path, dict[str, str], tuple[Path, ...]], work: Callable[..., None], given: tuple[Any, ...]
) -> None:
    folder, environment, texts = surrounding
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, text in enumerate(texts, 1):
        with text.open("wb") as file:
            os.dup2(file.fileno(), descriptor)
    try:
        work(*given)
    finally:
        atexit._run_exitfuncs()  # a process that was forked does without


def _command(arguments: list[str]) -> None:
    import torch

    from skiptune.cli.main import main

    torch.set_num_threads(1)
    sys.argv = ["skiptune", *arguments]
    main()
