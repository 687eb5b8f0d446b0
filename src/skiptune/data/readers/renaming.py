"""The names of a row's fields, and columns that have other names."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ...core.errors import InputError
from ...core.validation import nearest
from .collecting import Row

#: What a row may have; see :func:`skiptune.data.readers.row_to_record.row_record`.
FIELDS = (
    *("image", "image2", "question", "answer", "answers"),
    *("sentence", "label", "caption", "captions", "text", "labels", "value", "id", "group"),
)


def check_columns(columns: Mapping[str, str], source: str, there: Collection[str] | None = None) -> None:
    """Refuse a mapping from our fields to columns that names other fields, or columns that are not there.

    Args:
        columns: our field to the column's name.
        source: the file, for the message.
        there: the columns of the file; ``None``: every row has its own.

    Raises:
        InputError: names the field or the column, and the nearest that there is.
    """
    for name, column in columns.items():
        if name not in FIELDS:
            raise InputError(f"columns: {name!r} is no field{nearest(name, FIELDS)}")
        if there is not None and column not in there:
            raise InputError(f"columns: {source} has no column {column!r}{nearest(column, there)}")


def renamed(row: object, columns: Mapping[str, str]) -> object:
    """The row by our names of fields; a value that no column was named for stays under its own name."""
    if not columns or not isinstance(row, dict):
        return row
    found: Row = {name: value for name, value in row.items() if name not in columns.values() or name in columns}
    return {**found, **{name: row.get(column) for name, column in columns.items()}}
