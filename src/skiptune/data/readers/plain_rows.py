"""Rows and pictures that are given in Python: numbers of NumPy and torch as Python's, pictures of every kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...core.errors import InputError
from ...core.shown import shown
from ..arrays import is_array, picture_of_array
from ..held_pictures import Content, Held
from .collecting import Row

_IMAGES = ("image", "image2", "images")


def plain(row: Mapping[Any, Any]) -> Row:
    """The row with values as JSON has them; pictures as they are."""
    found = {str(name): value if name in _IMAGES else _plain(value) for name, value in row.items()}
    if is_array(found.get("images")):
        found["images"] = list(found["images"])
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, np.floating):
        return float(str(value))  # 0.1, not 0.10000000149011612
    if is_array(value) or isinstance(value, np.generic):
        value = value.tolist() if getattr(value, "ndim", 0) else value.item()
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    return value


def content_of(value: Any, folder: Path | None = None) -> Content:
    """The picture that a value of a row is; a relative path is one in ``folder``.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, Mapping) and {"bytes", "path"} & value.keys():  # as datasets stores one
        value = value.get("path") if value.get("bytes") is None else value["bytes"]
    if isinstance(value, str) and value.strip():
        value = Path(value)
    if isinstance(value, Path):
        return value if folder is None else folder / value
    if isinstance(value, list):
        value = np.array(value)
    if is_array(value):
        return picture_of_array(value)
    if isinstance(value, bytearray | memoryview):
        value = bytes(value)
    if not isinstance(value, bytes | Image.Image):
        raise ValueError(f"{shown(value)} is no image; give a path, encoded bytes, a Pillow image or an array")
    if not value if isinstance(value, bytes) else not (value.width and value.height):
        raise ValueError("an empty picture")
    return value


def picture_of(row: Row, name: str, folder: Path | None = None) -> Content | Held:
    """The picture in a field of a row.

    Raises:
        InputError: there is none.
    """
    value = row.get(name)
    if isinstance(value, Held):
        return value
    try:
        return content_of(value, folder)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None
