"""Records of one image, as files with a caption a row have them, as one record with all captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from ..data.augment import unvaried
from ..data.record import Record


def joined_by_image(records: Sequence[Record]) -> tuple[Sequence[Record], list[int]]:
    """The records, those of one image joined, in the order of their first ones; and for each given record the number
    of the one it is part of.

    Images are one where their paths, places in a table, or bytes are; in memory where they are one object.
    """
    numbers: dict[Any, int] = {}
    places = [numbers.setdefault(image_key(record), len(numbers)) for record in records]
    if len(numbers) == len(places):
        return records, places
    captions: list[list[str]] = [[] for _ in numbers]
    first: dict[int, Record] = {}
    for place, record in zip(places, records, strict=True):
        captions[place].extend(record.captions)
        first.setdefault(place, record)
    return [replace(first[place], captions=tuple(captions[place])) for place in range(len(numbers))], places


def image_key(record: Record) -> Any:
    """What tells the record's image from others, whatever is changed when it is read."""
    image = unvaried(record.picture)
    return id(image) if isinstance(image, Image.Image) else image
