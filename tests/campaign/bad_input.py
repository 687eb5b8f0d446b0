"""One bad input to the command line: its files, its arguments, and what is true of every outcome."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from generated import Splice

from skiptune.cli.main import main

#: Inputs that once failed; they are tried again in every form of the campaign.
KEPT = Path(__file__).with_name("kept")
#: Seconds after which a command counts as hanging.
LIMIT = 10.0


@dataclass(frozen=True)
class BadInput:
    """A command with files of its own.

    Attributes:
        surface: where it comes in.
        arguments: ``{here}`` stands for the folder of ``files``, ``{workspace}`` for the folder that all share.
        files: what becomes of files in the folder, by path; ``{workspace}`` as in ``arguments``.
        copied: what is copied into the folder first: from the workspace, and to where.
    """

    surface: str
    arguments: tuple[str, ...]
    files: dict[str, Splice] = field(default_factory=dict)
    copied: tuple[str, str] | None = None

    def save(self) -> Path:
        """Keep it for ever."""
        files = {
            name: [change.start, change.removed, base64.b64encode(change.inserted).decode("ascii")]
            for name, change in self.files.items()
        }
        content = json.dumps(
            {"surface": self.surface, "arguments": self.arguments, "files": files, "copied": self.copied}, indent=1
        )
        KEPT.mkdir(exist_ok=True)
        path = KEPT / f"{self.surface}-{hashlib.sha256(content.encode()).hexdigest()[:12]}.json"
        path.write_text(content + "\n", encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: Path) -> BadInput:
        """One that was kept."""
        content = json.loads(path.read_text(encoding="utf-8"))
        files = {
            name: Splice(start, removed, base64.b64decode(text))
            for name, (start, removed, text) in content["files"].items()
        }
        copied = content["copied"]
        return cls(content["surface"], tuple(content["arguments"]), files, copied and (copied[0], copied[1]))


@dataclass(frozen=True)
class Outcome:
    """How the command ended."""

    code: int
    out: str
    err: str

    @property
    def refused(self) -> bool:
        return self.code != 0


def call(bad: BadInput, here: Path, workspace: Path) -> Outcome:
    """Run the command in this process, in the folder ``here``.

    Raises:
        AssertionError: a traceback, another ending than with a sentence, or too slow.
    """
    if bad.copied is not None:
        source, target = workspace / bad.copied[0], here / bad.copied[1]
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    for name, change in bad.files.items():
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = change.of(path.read_bytes() if path.exists() else b"")
        path.write_bytes(content.replace(b"{workspace}", workspace.as_posix().encode()))
    arguments = [text.replace("{here}", str(here)).replace("{workspace}", str(workspace)) for text in bad.arguments]
    started = time.perf_counter()
    code, out, err = _call(arguments, here)
    seconds = time.perf_counter() - started
    assert "Traceback" not in out + err, err
    assert code in (0, 1, 2), (code, err)
    if code:
        assert err.lstrip().startswith(("error: ", "failed: ", "Usage: ")) or "\nerror: " in err, err
    assert seconds < LIMIT, f"{seconds:.1f} s"
    return Outcome(code, out, err)


def _call(arguments: list[str], here: Path) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", ["skiptune", *arguments])
        patch.chdir(here)
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
    return code, out.getvalue(), err.getvalue()
