"""A CSV file with a line of names, beside a folder of images; commas, semicolons or tabs between the values."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ...core.errors import InputError
from ..record import Record
from ..records import Records
from .collecting import Entry, Row, RowChecks, collect, image_folder
from .json_text import parse
from .jsonl import MOST_BAD_ROWS
from .renaming import check_columns, renamed
from .row_to_record import row_record
from .values import name_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

_SEPARATORS = ",;\t"
#: Fields that may hold a list or a mapping, written as JSON.
_SEVERAL = ("answers", "captions", "labels", "images", "options", "choices", "messages", "conversations", "history")
#: Fields that may hold a number.
_NUMBERS = ("label", "value")


def read_csv(
    path: str | Path,
    images: str | Path,
    columns: Mapping[str, str] | None = None,
    require_answers: bool = True,
    **checks: Unpack[RowChecks],
) -> Records:
    """Read records line by line, with the fields of a JSON-lines file as columns. A bad row is left out and counted.

    ``answers``, ``captions`` and ``labels`` may hold JSON: ``["2", "3"]`` or ``{"2": 7, "3": 3}``, and so may
    ``images``, ``options`` and conversations. An empty value is none.

    Args:
        path: the file; its first line has the names of the columns.
        images: the folder that ``image`` and ``image2`` are relative to.
        columns: our field to the file's column, only for fields whose column has another name.
        require_answers: whether a row without an answer or label is bad.
        checks: see :class:`skiptune.data.readers.collecting.RowChecks`; here ``most_bad`` is 0.2 by default, and every
            image file is opened once.

    Raises:
        InputError: no such file, folder or column, no usable row, or more than ``most_bad`` of them bad.
    """
    folder, labels, task = image_folder(images), checks.get("labels", ()), checks.get("task", "")
    names = columns or {}

    def picture(row: Row, name: str) -> Path:
        return folder / name_of(row, name)

    def make(row: Any) -> list[Record]:
        return [row_record(row, picture, require_answers, labels, task)]

    checks.setdefault("most_bad", MOST_BAD_ROWS)
    checks.setdefault("check_images", True)
    return collect(str(path), read_rows(Path(path), names, task), make, **checks)


def read_rows(path: Path, columns: Mapping[str, str], task: str = "") -> Iterator[Entry]:
    """The rows with their places; a problem in place of a row that cannot be read.

    ``columns`` are as for :func:`read_csv`, and ``task`` is the one that is read for.

    Raises:
        InputError: no such file or column, or it cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            yield from _read(file, path, columns, task)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error})") from None


def _read(file: TextIO, source: Path, columns: Mapping[str, str], task: str) -> Iterator[Entry]:
    rows = csv.reader(file, delimiter=_separator(file))
    try:
        names = next(rows, [])
        check_columns(columns, str(source), names, task)
        if len(set(names)) < len(names):
            raise InputError(f"{source}: two columns have one name; rename one of them")
        for values in rows:
            if values:
                yield f"line {rows.line_num}", _row(names, values, columns)
    except csv.Error as error:
        raise InputError(f"{source}: cannot be read (line {rows.line_num}: {error})") from None


def _separator(file: TextIO) -> str:
    """The character between the names in the first line; the file is at its beginning before and after."""
    first = file.readline()
    file.seek(0)
    return max(_SEPARATORS, key=first.count)


def _row(names: list[str], values: list[str], columns: Mapping[str, str]) -> object:
    if len(values) != len(names):
        return InputError(f"{len(values)} values for {len(names)} columns")
    row = renamed({name: value if value.strip() else None for name, value in zip(names, values, strict=True)}, columns)
    try:
        return {name: _value(name, value) for name, value in row.items()} if isinstance(row, dict) else row
    except InputError as error:
        return error


def _value(name: str, value: str | None) -> Any:
    if value is not None and name in _SEVERAL and value.lstrip()[:1] in ("[", "{"):
        return parse(value)
    if value is not None and name in _NUMBERS:
        return _number(value)
    return value


def _number(text: str) -> Any:
    """A number where the text is one, else the text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
