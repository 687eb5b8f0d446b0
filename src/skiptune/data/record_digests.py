"""Digests of records, by what they say: their images, texts, answers and ids, in their order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from .held_pictures import Held, InMemory
from .pictures import Placed, Stored, byte_size, digest, sampled_digest
from .record import Record
from .record_table import BATCH, SCHEMA
from .records import Records

#: What a digest is about → columns of the table of records.
ASPECTS = {
    "images": ("image", "image2"),
    "texts": ("text", "captions"),
    "answers": ("answers", "scores", "given", "majority", "label"),
    "ids": ("id", "group"),
}
#: Columns by aspect that count only where a record has something there: versions up to 0.3 did not have them.
_LATER = {
    "images": ("further",),
    "texts": ("turns",),
    "answers": ("label_name", "labels", "label_scores", "value", "options"),
}
#: Columns that a model is asked, and those of images.
_ASKED, _PICTURED = ("text", "captions", "turns", "options", "id"), ("image", "image2", "further")
#: Bytes of all images above which each counts by parts of it only: reading 2 GiB takes a few seconds.
READ_WHOLE = 2**31


def digests_of(records: Sequence[Record]) -> dict[str, str]:
    """SHA-256 of the records by aspect, one of :data:`ASPECTS`.

    An image counts by its file's name, or its place in a table, and its bytes, one in memory by these alone. The folder
    does not count. Where the
    images have more than :data:`READ_WHOLE` bytes together, an image's number of bytes counts and
    :func:`~skiptune.data.pictures.sampled_digest`.
    """
    whole = Records.of(records)
    of_picture = _ImageDigests(whole)
    found = {}
    for aspect, columns in ASPECTS.items():
        total = hashlib.sha256()
        for name in columns:
            for values in _slices(whole, name):
                if aspect == "images":
                    values = [None if value is None else of_picture(value) for value in values]
                total.update("".join(f"{json.dumps(value)}\n" for value in values).encode())
        for name in _LATER.get(aspect, ()):
            if any(value is not None for values in _slices(whole, name) for value in values):
                for values in _slices(whole, name):
                    if aspect == "images":
                        values = [numbers and [of_picture(number) for number in numbers] for numbers in values]
                    total.update(f"{json.dumps([name, *values])}\n".encode())
        found[aspect] = total.hexdigest()
    return found


def _slices(records: Records, column: str) -> Iterator[list[Any]]:
    """The values of a column in the order of the records, a few thousand at a time."""
    place = SCHEMA.get_field_index(column)
    cuts = np.flatnonzero(np.diff(records.numbers // BATCH)) + 1
    for numbers in np.split(records.numbers, cuts) if len(records) else ():
        batch = records.table.batches[int(numbers[0]) // BATCH]
        yield batch.column(place).take(pa.array(numbers % BATCH)).to_pylist()


class _ImageDigests:
    """What the images of ``records`` count by, by number; each is read once."""

    def __init__(self, records: Records) -> None:
        self._table = records.table
        self._whole = sum(map(byte_size, records.pictures())) <= READ_WHOLE
        self._seen: dict[int, str] = {}

    def __call__(self, number: int) -> str:
        if number not in self._seen:
            picture: Placed = self._table.picture(number)
            content = digest(picture) if self._whole else f"{byte_size(picture)} {sampled_digest(picture)}"
            self._seen[number] = f"{_place(picture)} {content}"
        return self._seen[number]


def _place(picture: Placed) -> str:
    if isinstance(picture, Held):
        return ""
    if isinstance(picture, Stored):
        inside = picture.inside and f" {picture.inside}"
        return f"{Path(picture.table).name} {picture.column} {picture.row}{inside}"
    return picture.name


@dataclass(frozen=True)
class AskedDigest:
    """What tells rows that are asked from others.

    Attributes:
        rows: of texts, ids, paths and sizes of images, and of rows that are no records; alike on every machine that has
            the images at the same paths.
        times: of the last changes of the images' files.
    """

    rows: str
    times: str


def asked_digest(records: Records) -> AskedDigest:
    """The digest of rows to be asked. Answers do not count, and images are not read.

    An image counts by its file's path, its number of bytes and the time of its last change, one in memory by its bytes.
    """
    rows, times = hashlib.sha256(), hashlib.sha256()
    for name in _ASKED:
        for values in _slices(records, name):
            rows.update(f"{json.dumps([name, *values])}\n".encode())
    for name in _PICTURED:
        for values in _slices(records, name):
            named = [[value] if isinstance(value, int) else value or [] for value in values]
            known: dict[int, str] = {}
            for number in dict.fromkeys(number for numbers in named for number in numbers):
                picture = records.table.picture(number)
                known[number] = _counted(picture)
                times.update(f"{_changed(picture)}\n".encode())
            counted = [[known[number] for number in numbers] for numbers in named]
            rows.update(f"{json.dumps([name, *counted])}\n".encode())
    rows.update(json.dumps([records.bad, list(records.bad_before)]).encode())
    return AskedDigest(rows.hexdigest(), times.hexdigest())


def _counted(picture: Placed) -> str:
    content = digest(picture) if isinstance(picture, Held) and isinstance(picture.source, InMemory) else ""
    place = str(picture) if isinstance(picture, Path) else _place(picture)
    return f"{place} {byte_size(picture)} {content}".rstrip()


def _changed(picture: Placed) -> int:
    """When the file of a picture was changed, in nanoseconds; 0 where there is none."""
    if isinstance(picture, Held):
        return 0
    try:
        return Path(picture.table if isinstance(picture, Stored) else picture).stat().st_mtime_ns
    except OSError:
        return 0
