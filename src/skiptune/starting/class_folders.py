"""Folders of images by class."""

from __future__ import annotations

from pathlib import Path

from ..data.readers.image_folder import class_folders, images_in
from .layout import Layout, as_fields, by_part, part_of


def images_by_class(folder: Path) -> Layout | None:
    """A folder with a folder of images for each of several classes, or with such folders for the parts; or ``None``."""
    parts = [inner for inner in class_folders(folder) if part_of(inner.name) is not None and _holds_classes(inner)]
    if parts:
        found = by_part(parts)
    elif _holds_classes(folder):
        found = {"train": folder}
    else:
        return None
    return Layout("folders of images by class", {"name": "imagefolder", **as_fields(found)}, "classification")


def _holds_classes(folder: Path) -> bool:
    return sum(any(True for _ in images_in(inner)) for inner in class_folders(folder)) > 1
