"""A plain checkpoint of a slim model that was exported before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...core.errors import InputError
from ..export import export
from ..load import load
from ..load_task import load_task
from .record import is_plain


def slim_to_plain(folder: Path, output: Path, base: str | None = None) -> Path:
    """Write a slim model as a plain checkpoint.

    Args:
        folder: of the slim model.
        output: the directory to write.
        base: for the form ``adapters``: another place of its base.

    Raises:
        InputError: damaged files, or a model that cannot be plain.
        RunError: the disk is full.
    """
    if is_plain(folder):
        raise InputError(f"{folder}: is a plain checkpoint already; copy it")
    model: Any = load(folder, base, verify=True)
    task = None if model.manifest.task is None else load_task(folder, model)
    known = model.manifest
    return export(model, output, known.skipping, task, "plain", base or known.base, known.extra)
