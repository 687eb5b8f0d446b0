"""Karpathy's splits of Flickr30k, Flickr8k and COCO: images with captions, for retrieval."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import InputError
from ...core.shown import shown
from ...core.validation import nearest
from ..record import Record
from ..records import Records
from .collecting import Entry, RowChecks, collect, image_folder, there
from .json_array import read_array
from .values import name_of, text_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

_PARTS = ("train", "val", "test")
#: COCO's further training images.
_REST = "restval"


def read_karpathy(
    path: str | Path,
    images: str | Path,
    split: str,
    **checks: Unpack[RowChecks],
) -> Records:
    """The images of one part with their captions, one record per image.

    Args:
        path: ``dataset_flickr30k.json`` or ``dataset_coco.json``.
        images: folder of the image files; COCO's in ``train2014`` and ``val2014`` as ``filepath`` says, or all in one.
        split: ``train`` (with COCO's ``restval``, as is usual), ``val`` or ``test``.
        checks: see :class:`skiptune.data.readers.collecting.RowChecks`.

    Raises:
        InputError: a file is missing or not of the published form, or too many images are bad.
    """
    if split not in _PARTS:
        raise InputError(f"split: {split!r}{nearest(split, _PARTS)}")
    folder = image_folder(images)
    wanted = ("train", _REST) if split == "train" else (split,)

    def make(row: Any) -> list[Record]:
        name = name_of(row, "filename")
        path = folder / str(row.get("filepath", "")) / name
        if "filepath" in row and not there(path):
            path = folder / name
        sentences = row.get("sentences")
        if not isinstance(sentences, list) or not sentences:
            raise InputError(f"sentences: {shown(sentences)} is not a list of objects with a text raw")
        return [Record(path, captions=tuple(text_of(sentence, "raw") for sentence in sentences), id=name)]

    return collect(str(path), _of_part(read_array(path, "images"), wanted), make, **checks)


def _of_part(entries: Iterator[Entry], wanted: tuple[str, ...]) -> Iterator[Entry]:
    """The images of a part, and those that are of none."""
    for place, row in entries:
        if not isinstance(row, dict):
            yield place, row
        elif row.get("split") not in (*_PARTS, _REST):
            valid = ", ".join((*_PARTS, _REST))
            yield place, InputError(f"split: {shown(row.get('split'))} is none of {valid}")
        elif row["split"] in wanted:
            name = row.get("filename")
            yield f"image {name}" if isinstance(name, str) and name.isprintable() and name.strip() else place, row
