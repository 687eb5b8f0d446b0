"""Tell the format of a folder of data."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import InputError
from .class_folders import images_by_class
from .hugging_face import hugging_face_dataset
from .layout import Layout
from .own_rows import own_rows
from .published_sets import published_set


def look(path: Path) -> Layout:
    """How the data at ``path``, a folder or a file, can be read.

    Raises:
        InputError: there is nothing, nothing that a reader knows, or files are missing.
    """
    if not path.exists():
        raise InputError(f"{path}: no such folder or file")
    if path.is_file():
        found = own_rows(path.resolve().parent, path.resolve())
    else:
        folder = path.resolve()
        found = (
            hugging_face_dataset(folder) or published_set(folder) or own_rows(folder, None) or images_by_class(folder)
        )
    if found is None:
        raise InputError(
            f"{path}: no data that can be read; expected JSON lines or a CSV table beside a folder of images, "
            "folders of images by class, a Hugging Face dataset, or a published set (see the guide to data formats)"
        )
    return found
