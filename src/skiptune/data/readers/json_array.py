"""The objects of one array in a large JSON file, one after the other, never the whole file in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from ...core.errors import InputError

_CHUNK = 2**20
_SPACE = " \t\n\r"
_AFTER = ",]}" + _SPACE


def read_array(path: str | Path, name: str) -> Iterator[Any]:
    """The values of the array ``name`` of the object in ``path``; what stands around it is passed over.

    Raises:
        InputError: no such file, not JSON, cut off, or without such an array.
    """
    try:
        with Path(path).open(encoding="utf-8") as file:
            yield from _Scanner(file).array(name)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text ({error})") from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON, or cut off ({error})") from None
    except KeyError:
        raise InputError(f"{path}: no list {name!r} in it; is it the right file?") from None


class _Scanner:
    """A window on the text of a file, moved along as values are decoded."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._passed = 0
        self._decoder = json.JSONDecoder()

    def array(self, name: str) -> Iterator[Any]:
        """Go through the object's fields; yield the values of the wanted one, and check the rest."""
        found = False
        self._expect("{")
        while self._next() != "}":
            key = self._value()
            self._expect(":")
            if self._next() != "[" or not isinstance(key, str):
                self._value()
            elif key == name:
                found = True
                yield from self._values()
            else:
                for _ in self._values():
                    pass
            if self._next() != "}":
                self._expect(",")
        if not found:
            raise KeyError(name)

    def _values(self) -> Iterator[Any]:
        self._expect("[")
        while self._next() != "]":
            yield self._value()
            if self._next() != "]":
                self._expect(",")
        self._expect("]")

    def _value(self) -> Any:
        """Decode the value here, reading on while it may be cut off."""
        self._next()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError:
                if not self._more():
                    raise
                continue
            ended = self._text[end : end + 1]
            if (not ended or (ended not in _AFTER and isinstance(value, int | float))) and self._more():
                continue  # a number can go on: 1 | 1.5 | 1.5e3
            self._at = end
            return value

    def _next(self) -> str:
        """The next character that is not space, empty at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def _expect(self, character: str) -> None:
        found = self._next()
        if found != character:
            place = f"expected {character!r} near character {self._passed + self._at}"
            raise json.JSONDecodeError(f"{place}, found {found!r}", "", 0)
        self._at += 1

    def _more(self) -> bool:
        chunk = self._file.read(max(_CHUNK, len(self._text) - self._at))
        self._passed += self._at
        self._text = self._text[self._at :] + chunk
        self._at = 0
        return bool(chunk)
