"""The images beside a conversation or a question, as a row has them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from ....core.errors import InputError
from ....core.shown import shown

#: Fields that hold images, of which a row has one at most.
FIELDS = ("image", "images")
_ADDRESS = re.compile(r"(https?|ftp|s3|gs|hf)://", re.IGNORECASE)
_FILE = re.compile(r"file://(localhost(?=/)|/(?=[a-z]:))?", re.IGNORECASE)
_WRITTEN = re.compile(r"data:image/[\w.+-]+;base64,", re.IGNORECASE)
_OTHER_MEDIA = ("video", "videos", "audio", "audios")


def images_beside(row: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Images with the names that messages have for them; none where the fields are missing or null.

    Raises:
        InputError: two fields have images, one of them holds something else, or there is a video or a sound.
    """
    if other := next((name for name in _OTHER_MEDIA if _there(row.get(name))), None):
        raise InputError(f"{other}: {shown(row[other])}; images and texts are read, no other media")
    given = [name for name in FIELDS if _there(row.get(name))]
    if len(given) > 1:
        raise InputError(f"image: {shown(row['image'])}, and images: {shown(row['images'])}; leave one of them out")
    if not given:
        return []
    name, value = given[0], row[given[0]]
    if not _is_list(value):
        return [(name, value)]
    if any(entry is None for entry in value):
        raise InputError(f"{name}: {shown(value)} has null among the images")
    return [(f"{name} {number}", entry) for number, entry in enumerate(value, start=1)]


def _there(value: Any) -> bool:
    return value is not None and not (_is_list(value) and not len(value))


def _is_list(value: Any) -> bool:
    """Whether a value is several images: a list that is not one of numbers, which are pixels."""
    return isinstance(value, list | tuple) and not _of_numbers(value)


def _of_numbers(value: Any) -> bool:
    while isinstance(value, list | tuple) and value:
        value = value[0]
    return isinstance(value, int | float)


def plain_image(value: Any, name: str) -> Any:
    """A path, or what holds an image: objects with ``url``, ``path`` or ``bytes`` and images in Base64 are unpacked.

    Raises:
        InputError: it is an address in the web, or damaged Base64.
    """
    if isinstance(value, Mapping):
        key = next((key for key in ("bytes", "base64", "url", "path", "image") if value.get(key) is not None), None)
        if key in ("bytes", "base64") and isinstance(value[key], str):
            return _decoded(value[key].partition("base64,")[2] or value[key], name)
        return value if key is None else plain_image(value[key], name)
    if not isinstance(value, str):
        return value
    if _ADDRESS.match(value):
        raise InputError(f"{name}: {shown(value)} is an address; download the picture and give its path")
    if start := _WRITTEN.match(value):
        return _decoded(value[start.end() :], name)
    return _FILE.sub("", value, count=1)


def _decoded(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InputError(f"{name}: {shown(text)} is damaged Base64") from None
