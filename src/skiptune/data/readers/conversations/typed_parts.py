"""The content of a message: a text, or a list of typed parts as chat templates take them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....core.errors import InputError
from ....core.shown import shown
from .marked_text import text_of_turn
from .said import Part, Place

#: Under which names a part of an image has it.
_IMAGE_FIELDS = ("image", "image_url", "url", "path", "base64", "bytes")
_IMAGE_TYPES = ("image", "image_url", "input_image")
_TEXT_TYPES = ("text", "input_text", "output_text")


def typed_parts(parts: Any, field: str) -> tuple[Part, ...]:
    """The parts of a message; a text in them is as it stands, also where it holds ``<image>``.

    Raises:
        InputError: a part is neither a text nor an image.
    """
    return tuple(_part(part, f"{field}: part {number}") for number, part in enumerate(parts, start=1))


def _part(part: Any, field: str) -> Part:
    if isinstance(part, str):
        return text_of_turn(part, field)
    if not isinstance(part, Mapping):
        raise InputError(f"{field}: {shown(part)} is neither a text nor an object with type")
    kind = part.get("type")
    if kind is None:
        kind = "text" if part.get("text") is not None else "image" if _image_in(part) is not None else None
    if kind in _TEXT_TYPES:
        text = part.get("text") if part.get("text") is not None else part.get("content")
        return text_of_turn(text, f"{field}: text")
    if kind in _IMAGE_TYPES:
        return Place(_image_in(part))
    raise InputError(f"{field}: type: {shown(kind)} is neither text nor image; other media are not read")


def _image_in(part: Mapping[str, Any]) -> Any:
    name = next((name for name in _IMAGE_FIELDS if part.get(name) is not None), None)
    return None if name is None else {name: part[name]} if name in ("base64", "bytes") else part[name]
