"""Where the slim model is that a user names."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import InputError


def slim_folder(name: str) -> Path:
    """The directory of a slim model or a plain checkpoint; a run's directory stands for its slim model.

    Raises:
        InputError: it is neither.
    """
    from .hub import local_folder
    from .manifest import is_slim
    from .plain.record import is_plain

    folder = local_folder(name)
    for candidate in (folder, folder / "slim"):
        if is_slim(candidate) or is_plain(candidate):
            return candidate
    raise InputError(
        f"{name}: not a slim model and not a finished run" + ("" if folder.exists() else " (no such directory)")
    )
