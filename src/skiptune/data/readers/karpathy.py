"""Karpathy's splits of Flickr30k, Flickr8k and COCO: images with captions, for retrieval."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import InputError
from ...core.validation import nearest
from ..record import Record
from ..records import Records
from .collecting import RowChecks, collect, image_folder, text_of
from .json_array import read_array

if TYPE_CHECKING:
    from typing_extensions import Unpack

_PARTS = ("train", "val", "test")


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
    wanted = {"train", "restval"} if split == "train" else {split}

    def make(row: Any) -> list[Record]:
        name = text_of(row, "filename")
        path = folder / str(row.get("filepath", "")) / name
        if "filepath" in row and not path.exists():
            path = folder / name
        sentences = row.get("sentences")
        if not isinstance(sentences, list) or not sentences:
            raise InputError(f"sentences: {sentences!r} is not a list of objects with a text raw")
        return [Record(path, captions=tuple(text_of(sentence, "raw") for sentence in sentences), id=name)]

    rows = (row for row in read_array(path, "images") if not isinstance(row, dict) or row.get("split") in wanted)
    entries = ((f"image {row.get('filename') if isinstance(row, dict) else row}", row) for row in rows)
    return collect(str(path), entries, make, **checks)
