"""A folder of images with a folder for every class, as ``imagefolder`` of Hugging Face's datasets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import InputError
from ..record import Record
from ..records import Records
from .collecting import Entry, RowChecks, collect
from .jsonl import MOST_BAD_ROWS
from .row_to_record import row_record

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: What files of images are called; others in the folders are passed over.
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff")


def read_image_folder(path: str | Path, **checks: Unpack[RowChecks]) -> Records:
    """A record for every image, whose label is the name of the folder that it is in; folders below that do not count.

    Args:
        path: the folder with a folder for every class.
        checks: see :class:`skiptune.data.readers.collecting.RowChecks`; here ``most_bad`` is 0.2 by default, and every
            image file is opened once.

    Raises:
        InputError: no such folder, no image in it, or more than ``most_bad`` of them bad.
    """
    folder, labels = Path(path), checks.get("labels", ())
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of images by class")

    def make(row: Any) -> list[Record]:
        return [row_record(row, lambda row, name: folder / row[name], labels=labels, task=checks.get("task", ""))]

    checks.setdefault("most_bad", MOST_BAD_ROWS)
    checks.setdefault("check_images", True)
    return collect(str(path), _entries(folder), make, **checks)


def _entries(folder: Path) -> Iterator[Entry]:
    for label in class_folders(folder):
        for image in images_in(label):
            name = image.relative_to(folder).as_posix()
            yield name, {"image": name, "label": label.name}


def class_folders(folder: Path) -> list[Path]:
    """The folders directly in a folder, sorted; hidden ones do not count."""
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def images_in(folder: Path) -> Iterator[Path]:
    """The image files in a folder and below, by their names, sorted; hidden ones do not count."""
    for entry in sorted(folder.rglob("*")):
        if entry.suffix.lower() in IMAGE_ENDINGS and not entry.name.startswith(".") and entry.is_file():
            yield entry
