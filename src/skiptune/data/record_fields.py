"""What the fields of a record may hold. Each function returns the value as a record keeps it, or refuses it."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from PIL import Image

from ..core.errors import InputError
from ..core.shown import shown
from .answers import answer_text
from .arrays import is_array, picture_of_array
from .held_pictures import Held
from .pictures import Stored

#: Numbers of labels that a table holds.
_LARGEST = 2**63
#: What begins like an address in the web, or an image written into one.
_ADDRESS = re.compile(r"(https?|ftp|s3|gs|hf)://|data:image/", re.IGNORECASE)


def picture(value: Any, name: str) -> Any:
    """An image; a text is the path of one, an array or tensor holds its pixels, an open file is read.

    Raises:
        InputError: it is nothing that holds an image, or an address.
    """
    if isinstance(value, Path | Stored | Held | bytes | Image.Image) or (value is None and name in ("image", "image2")):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, BufferedIOBase):
        return value.read()
    if isinstance(value, Mapping) and {"bytes", "path"} & value.keys():  # as datasets stores one
        return picture(value.get("path") if value.get("bytes") is None else value["bytes"], name)
    if isinstance(value, str) and value.strip():
        if _ADDRESS.match(value):
            raise InputError(f"{name}: {shown(value)} is an address; download the picture and give its path or bytes")
        return Path(value)
    if is_array(value):
        try:
            return picture_of_array(value)
        except ValueError as error:
            raise InputError(f"{name}: {error}") from None
    from .augment import Varied  # it knows records, so it cannot be imported with this file

    if not isinstance(value, Varied):
        raise InputError(f"{name}: {shown(value)} is no image; give a path, encoded bytes, a Pillow image or an array")
    return value


def pictures(value: Any, name: str) -> tuple[Any, ...]:
    """Several images.

    Raises:
        InputError: a single one, or something in it is none.
    """
    if not isinstance(value, tuple | list):
        raise InputError(f"{name}: {shown(value)} is not a list of images")
    found = [picture(entry, name) for entry in value]
    return value if isinstance(value, tuple) and all(map(operator.is_, value, found)) else tuple(found)


def text(value: Any, name: str) -> str:
    """A text, perhaps empty.

    Raises:
        InputError: it is none, or holds half a character, as files do that are not UTF-8.
    """
    if not isinstance(value, str):
        raise InputError(f"{name}: {shown(value)} is not a text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            wrong = value[error.start]
            raise InputError(f"{name}: {shown(value)} holds {wrong!r}, which is no character; is it UTF-8?") from None
    return value


def identifier(value: Any, name: str) -> str:
    """A text; a whole number as its digits.

    Raises:
        InputError: it is neither.
    """
    return answer_text(value, name) if isinstance(value, int) else text(value, name)


def texts(value: Any, name: str) -> tuple[str, ...]:
    """Several texts.

    Raises:
        InputError: a single text, or something in it is no text.
    """
    if not isinstance(value, tuple | list):
        raise InputError(f"{name}: {shown(value)} is not a list of texts")
    for entry in value:
        text(entry, name)
    return value if isinstance(value, tuple) else tuple(value)


def captions(value: Any, name: str) -> tuple[str, ...]:
    """Several texts, none of them blank.

    Raises:
        InputError: as :func:`texts`, or one is blank.
    """
    found = texts(value, name)
    if not all(entry.strip() for entry in found):
        raise InputError(f"{name}: {shown(value)} holds a blank text")
    return found


def label(value: Any, name: str) -> int | str | None:
    """The number or the name of a class, or ``None``.

    Raises:
        InputError: it is neither.
    """
    if value is None:
        return None
    if isinstance(value, str) and value.strip():
        return text(value.strip(), name)
    try:
        number = operator.index(value)
    except TypeError:
        number = _LARGEST
    if not -_LARGEST <= number < _LARGEST:
        raise InputError(f"{name}: {shown(value)} is no label; give its name or its number")
    return number


def labels(value: Any, name: str) -> dict[str, float] | None:
    """Labels with their scores, those above 0; ``None``: not known. A list has labels of score 1.

    Raises:
        InputError: neither mapping nor list, a label twice or blank, or a score that is not in [0, 1].
    """
    if value is None:
        return None
    if isinstance(value, list | tuple | set | frozenset):
        pairs = [(entry, 1.0) for entry in value]
    elif isinstance(value, Mapping):
        pairs = list(value.items())
    else:
        raise InputError(f"{name}: {shown(value)} is neither a list of labels nor a mapping from labels to scores")
    found: dict[str, float] = {}
    for entry, score in pairs:
        key = text(answer_text(entry, name), name)
        if key in found:
            raise InputError(f"{name}: {shown(value)} has {shown(entry)} twice; name each label that applies once")
        found[key] = _number(score, f"{name}: the score of {shown(entry)}")
        if not 0 <= found[key] <= 1:
            raise InputError(f"{name}: the score {shown(score)} of {shown(entry)} is not in [0, 1]")
    return {key: score for key, score in found.items() if score > 0}


def number(value: Any, name: str) -> float | None:
    """A finite number, or ``None``.

    Raises:
        InputError: it is something else.
    """
    return None if value is None else _number(value, name)


def _number(value: Any, name: str) -> float:
    if not isinstance(value, bool | str | bytes):
        try:
            if math.isfinite(found := float(value)):
                return found
        except (TypeError, ValueError, OverflowError):
            pass
    raise InputError(f"{name}: {shown(value)} is not a finite number")


def scores(value: Any, name: str) -> dict[str, float]:
    """Answers with their scores. White space around answers does not count: scores of equal ones add up, to 1 at most.

    Raises:
        InputError: no mapping, a blank answer, or a score that is not in (0, 1].
    """
    if not isinstance(value, Mapping):
        raise InputError(f"{name}: {shown(value)} is not a mapping from answers to scores")
    found: dict[str, float] = {}
    for answer, score in value.items():
        if not isinstance(score, int | float) or isinstance(score, bool) or not 0 < score <= 1:
            raise InputError(f"{name}: the score {shown(score)} of {shown(answer)} is not in (0, 1]")
        key = text(answer_text(answer, name), name)
        found[key] = min(1.0, found.get(key, 0.0) + float(score))
    return found
