"""Pictures that visitors upload, as bytes. Gradio keeps them in files; it does not decode them here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..answering.picture_limits import PictureLimits
from ..core.errors import InputError
from ..data.temporary_folder import temporary_folder


def uploads_folder() -> Path:
    """Where uploads are kept; removed when the process ends."""
    folder = temporary_folder(os.getpid()) / "uploads"
    folder.mkdir(exist_ok=True)
    return folder


def uploaded_picture(given: Any, limits: PictureLimits) -> bytes | None:
    """The content of an upload; ``None``: there is none.

    Args:
        given: what the page or a client sends for it: the name of a file that it has uploaded before.
        limits: that it must be within.

    Raises:
        InputError: no upload of this page, too large, or no picture.
    """
    if given is None:
        return None
    file = uploaded_file(given.get("path")) if isinstance(given, dict) else None
    if file is None:
        raise InputError("image: it is not there any more, or was never uploaded here; upload it again")
    with file.open("rb") as opened:
        content = opened.read(limits.most_bytes + 1)
    limits.check(content)
    return content


def uploaded_file(path: object) -> Path | None:
    """The file of an upload; ``None``: it is none, or not there any more."""
    if not isinstance(path, str):
        return None
    try:
        file = Path(path).resolve()
        return file if file.is_relative_to(uploads_folder().resolve()) and file.is_file() else None
    except (OSError, ValueError):  # no path can be like this
        return None
