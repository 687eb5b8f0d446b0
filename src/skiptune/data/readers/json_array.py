"""The values of one array in a large JSON file, one after the other, never the whole file in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ...core.errors import InputError, first_line

_CHUNK = 2**16


def read_array(path: str | Path, name: str) -> Iterator[Any]:
    """The values of the array ``name`` of the object in ``path``. Whole numbers are ``int``, others ``float``.

    Raises:
        InputError: no such file, not JSON, cut off, or without such an array.
    """
    import ijson

    try:
        with Path(path).open("rb") as file:
            empty = True
            for value in ijson.items(file, f"{name}.item", use_float=True, buf_size=_CHUNK):
                empty = False
                yield value
            if empty:
                _check_array(path, file, name)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid JSON, or cut off ({first_line(error)}); is it UTF-8 text?") from None


def _check_array(path: str | Path, file: BinaryIO, name: str) -> None:
    """An empty array is fine; another kind of value, or none of that name, is the wrong file."""
    import ijson

    file.seek(0)
    events = ijson.parse(file)
    if next(events)[1] != "start_map":
        raise InputError(f"{path}: not valid JSON, or cut off (no object)")
    if (name, "start_array") not in ((prefix, event) for prefix, event, _ in events):
        raise InputError(f"{path}: no list {name!r} in it; is it the right file?")
