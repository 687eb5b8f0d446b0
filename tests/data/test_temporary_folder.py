"""The folder of temporary files, on file systems that have no locks."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import filelock
import pytest

from skiptune.data import temporary_folder as module


@pytest.mark.parametrize("error", [filelock.Timeout("x"), OSError(37, "No locks available"), NotImplementedError()])
def test_without_locks_there_is_a_folder_that_nobody_else_removes(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    with monkeypatch.context() as broken:
        broken.setattr(filelock.FileLock, "acquire", refuse)
        folder = module.temporary_folder.__wrapped__(os.getpid())
        assert folder.is_dir()
    module.remove_abandoned_folders()
    assert folder.is_dir()
    assert not list(tmp_path.glob("*.lock"))
