"""Tell the format of a folder of data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..core.errors import InputError
from ..data.readers.image_folder import images_in
from .class_folders import images_by_class
from .hugging_face import hugging_face_dataset
from .layout import Layout
from .own_rows import own_rows
from .published_sets import published_set


def look(path: Path, columns: Mapping[str, str] | None = None) -> Layout:
    """How the data at ``path``, a folder or a file, can be read.

    Args:
        path: a folder or a file.
        columns: our fields and the names that they have in its rows, beside those that are usual.

    Raises:
        InputError: there is nothing, nothing that a reader knows, or files are missing.
    """
    if not path.exists():
        raise InputError(f"{path}: no such folder or file")
    if path.is_file():
        found = own_rows(path.resolve().parent, path.resolve(), columns or {})
    else:
        folder = path.resolve()
        found = (
            hugging_face_dataset(folder, columns or {})
            or published_set(folder)
            or own_rows(folder, None, columns or {})
            or images_by_class(folder)
        )
    if found is None:
        raise InputError(
            f"{path}: no data that can be read{_pictures(path)}; expected JSON lines or a CSV table beside a folder of "
            "images, a folder of images for each of at least two classes, a Hugging Face dataset, or a published set "
            "(see the guide to data formats)"
        )
    return found


def _pictures(path: Path) -> str:
    """What is known of a folder that holds pictures and nothing that says what they show."""
    folders = {image.parent.name for image in images_in(path)} if path.is_dir() else set()
    return f" (images, but no rows about them, and one folder only: {folders.pop()})" if len(folders) == 1 else ""
