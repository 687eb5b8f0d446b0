"""Digests of records, by what they say: their images, texts, answers and ids, in their order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from .pictures import Stored, byte_size, digest
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
#: Bytes at the end of an image file that its digest is of, with the number of its bytes.
_TAIL = 4096


def digests_of(records: Sequence[Record]) -> dict[str, str]:
    """SHA-256 of the records by aspect, one of :data:`ASPECTS`.

    An image counts by its file's name, size and last 4,096 bytes, which is all of a small one; one that is stored in a
    table by its place and size. The folder does not count.
    """
    whole, seen = Records.of(records), dict[int, str]()
    found = {}
    for aspect, columns in ASPECTS.items():
        total = hashlib.sha256()
        for name in columns:
            for values in _slices(whole, name):
                if aspect == "images":
                    values = [None if value is None else _picture(whole, value, seen) for value in values]
                total.update("".join(f"{json.dumps(value)}\n" for value in values).encode())
        found[aspect] = total.hexdigest()
    return found


def _slices(records: Records, column: str) -> Iterator[list[Any]]:
    """The values of a column in the order of the records, a few thousand at a time."""
    place = SCHEMA.get_field_index(column)
    cuts = np.flatnonzero(np.diff(records.numbers // BATCH)) + 1
    for numbers in np.split(records.numbers, cuts) if len(records) else ():
        batch = records.table.batches[int(numbers[0]) // BATCH]
        yield batch.column(place).take(pa.array(numbers % BATCH)).to_pylist()


def _picture(records: Records, number: int, seen: dict[int, str]) -> str:
    if number not in seen:
        picture: Any = records.table.picture(number)
        if isinstance(picture, Stored):
            seen[number] = f"{Path(picture.table).name} {picture.column} {picture.row} {picture.size()}"
        else:
            seen[number] = f"{picture.name} {byte_size(picture)} {digest(picture, _TAIL)}"
    return seen[number]
