"""The rows of a JSON-lines file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from ...core.errors import InputError
from .collecting import Entry
from .json_array import is_list, read_list
from .json_text import LONGEST, parse


def read_lines(path: str | Path) -> Iterator[Entry]:
    """The rows, read line by line; empty lines are passed over, and so are byte-order marks. Where the file is one JSON
    list, the rows are its values.

    Bytes that are not UTF-8 become surrogates, which no field of a record may hold: only their row is bad.

    Raises:
        InputError: no such file, or it cannot be read.
    """
    if is_list(path):
        yield from read_list(path)
        return
    try:
        with Path(path).open(encoding="utf-8", errors="surrogateescape") as file:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST), ""), start=1):
                place, text = f"line {number}", line.lstrip("\ufeff")  # also where files were joined
                if len(line) == LONGEST:
                    _pass_over(file)
                    yield place, InputError(f"longer than {LONGEST:,} characters")
                elif text.strip():
                    try:
                        yield place, parse(text)
                    except InputError as error:
                        yield place, error
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error})") from None


def _pass_over(file: TextIO) -> None:
    """Go to the end of the line."""
    while (rest := file.readline(LONGEST)) and not rest.endswith("\n"):
        pass
