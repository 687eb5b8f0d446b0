"""The values of one array in a large JSON file, one after the other, never the whole file in memory.

Python's own ``json`` reads each value. Only where it fails is the value's end looked for by its brackets and quotes, so
that one bad value does not lose the others; libraries that read JSON piece by piece (ijson) end with the first mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from ...core.errors import InputError
from ...core.shown import shown
from .collecting import Entry
from .json_text import DECODER, LONGEST, parse

_CHUNK = 2**16
#: Characters of a first line that is looked at as a whole.
_LONG = 2**18
_SPACE = re.compile(r"[ \t\r\n]*")
#: A whole text, the quote of one that is not whole yet, a bracket.
_PART = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{}]', re.DOTALL)
_SCALAR_END = re.compile(r"[\s,\]}:]")


def read_array(path: str | Path, name: str) -> Iterator[Entry]:
    """The values of the array ``name`` of the object in ``path``, each with its place; for a bad one its problem.

    Raises:
        InputError: no such file, not JSON, cut off, or without such an array.
    """
    found = False
    with _opened(path) as text:
        for key in text.members():
            if key == name and found:
                raise _BrokenError(f"{name!r} is there twice")
            if key == name and text.next() == "[":
                found = True
                yield from text.elements(f" of {name}")
            else:
                text.pass_over()
    if not found:
        raise InputError(f"{path}: no list {name!r} in it; is it the right file?")


def read_list(path: str | Path) -> Iterator[Entry]:
    """The values of the list that the whole of ``path`` is, likewise.

    Raises:
        InputError: no such file, not JSON, or cut off.
    """
    with _opened(path) as text:
        yield from text.elements("")
        if text.next():
            raise _BrokenError("more than one value")


def is_list(path: str | Path) -> bool:
    """Whether a file is one JSON list, as far as its beginning tells: a list that is whole on the first line, with more
    lines to come, is a line of many. One that cannot be opened is none.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", errors="surrogateescape") as file:
            if _Text(file).next() != "[":
                return False
            file.seek(0)
            lines = iter(lambda: file.readline(_LONG), "")
            first = next((line for line in lines if line.strip("\ufeff \t\r\n")), "")
            # one that is longer, or ends with the file, is a list; others are read before it is known what they are
            return not first.endswith("\n") or not (any(line.strip() for line in lines) and _is_whole(first))
    except OSError:
        return False


def _is_whole(text: str) -> bool:
    """Whether a text is a JSON value from its beginning to its end."""
    try:
        parse(text.lstrip("\ufeff"))
    except InputError:
        return False
    return True


@contextmanager
def _opened(path: str | Path) -> Iterator[_Text]:
    """The text of a file; what goes wrong with it is told with its name."""
    try:
        with Path(path).open(encoding="utf-8-sig", errors="surrogateescape") as file:
            yield _Text(file)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    except _BrokenError as error:
        raise InputError(f"{path}: not valid JSON, or cut off ({error}); is it UTF-8 text?") from None


class _BrokenError(Exception):
    """The file is not JSON between its values."""


class _Text:
    """The text of a file from a position on. What lies before it is dropped when more is read."""

    def __init__(self, file: TextIO) -> None:
        self.file, self.text, self.at = file, "", 0

    def next(self) -> str:
        """The next character that is no white space, which stays; empty at the end."""
        while True:
            space = _SPACE.match(self.text, self.at)
            self.at = space.end() if space else self.at
            if self.at < len(self.text) or not self._more():
                return self.text[self.at : self.at + 1]

    def members(self) -> Iterator[str]:
        """The names of the file's object. Between two of them the caller takes the value."""
        self._take("{")
        while self.next() != "}":
            yield self._name()
            self._take_comma("}")
        self._take("}")
        if self.next():
            raise _BrokenError("more than one value")

    def _name(self) -> str:
        try:
            name = self.value()
        except InputError as error:
            raise _BrokenError(str(error)) from None
        if not isinstance(name, str):
            raise _BrokenError(f"{shown(name)} instead of a name")
        self._take(":")
        return name

    def elements(self, where: str) -> Iterator[Entry]:
        """The values of the array that begins here, each with its place, which ends with ``where``."""
        self._take("[")
        number = 0
        while self.next() != "]":
            number += 1
            place = f"entry {number}{where}"
            try:
                yield place, self.value()
            except InputError as error:
                yield place, error
            self._take_comma("]")
        self._take("]")

    def value(self) -> Any:
        """The value that begins here.

        Raises:
            InputError: it is bad; it was taken all the same.
        """
        self.next()
        try:
            value, end = DECODER.raw_decode(self.text, self.at)
        except (ValueError, RecursionError):  # bad, or not whole yet
            end = len(self.text)
        if end == len(self.text):
            end = self._end(keep=True)
            text, self.at = self.text[self.at : end], end
            return parse(text)
        self.at = end
        return value

    def pass_over(self) -> None:
        """Take the value that begins here and forget it, however large it is."""
        self.next()
        self.at = self._end(keep=False)

    def _end(self, keep: bool) -> int:
        """Where the value that begins here ends.

        Args:
            keep: whether the value's text is needed; otherwise what lies behind is dropped.
        """
        if self.text[self.at : self.at + 1] not in ('"', "[", "{"):
            return self._end_of_scalar()
        depth, place = 0, self.at
        while True:
            part = _PART.search(self.text, place)
            if part is None or part[0] == '"':
                place = len(self.text) if part is None else part.start()
                if not keep:
                    self.at = place
                place -= self.at
                if len(self.text) - self.at > LONGEST or not self._more():
                    raise _BrokenError("a value does not end")
                place += self.at
                continue
            place = part.end()
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(part[0], 0)
            if depth == 0:
                return place

    def _end_of_scalar(self) -> int:
        while True:
            end = _SCALAR_END.search(self.text, self.at)
            if end is not None:
                if end.start() == self.at:
                    raise _BrokenError(f"a value is missing before {end[0]!r}")
                return end.start()
            if len(self.text) - self.at > LONGEST or not self._more():
                raise _BrokenError("a value does not end")

    def _take(self, character: str) -> None:
        found = self.next()
        if found != character:
            raise _BrokenError(f"{found!r} instead of {character!r}" if found else "it ends too early")
        self.at += 1

    def _take_comma(self, end: str) -> None:
        """A comma between values; behind the last one there is none."""
        if self.next() != end:
            self._take(",")
            if self.next() == end:
                raise _BrokenError(f"a value is missing before {end!r}")

    def _more(self) -> bool:
        """Read on; as much as there is already, so that a long value is not searched again and again."""
        rest = self.text[self.at :]
        more = self.file.read(max(_CHUNK, len(rest)))
        self.text, self.at = rest + more, 0
        return bool(more)
