"""Records from what people have in Python: dictionaries, a ``datasets.Dataset``, columns; pictures of every kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import InputError
from ..held_pictures import Content, Held
from ..record import Record, check_kind
from ..records import Records
from .collecting import Entry, Row, RowChecks, collect
from .dataset_rows import dataset_entries, is_dataset
from .jsonl import MOST_BAD_ROWS
from .plain_rows import picture_of, plain
from .renaming import check_columns, renamed
from .row_to_record import row_record

if TYPE_CHECKING:
    from typing_extensions import Unpack


def read_objects(
    data: Any,
    columns: Mapping[str, str] | None = None,
    images: str | Path | None = None,
    require_answers: bool = True,
    name: str = "records",
    **checks: Unpack[RowChecks],
) -> Records:
    """A table of records. Pictures in memory stay there and those of a dataset in it; the table refers to them.

    Args:
        data: records, rows, a dataset, or a mapping from fields to columns.
        columns: our field to the name it has in the rows.
        images: the folder that paths are relative to; ``None``: the working directory.
        require_answers: whether a row without an answer, label or value is bad.
        name: what messages call them.
        checks: see :class:`RowChecks`; here ``most_bad`` is 0.2 by default, and every image file is opened once.

    Raises:
        InputError: it is something else, has no such column, or too many rows are bad.
    """
    folder, labels, task = None if images is None else Path(images), checks.get("labels", ()), checks.get("task", "")

    def picture(row: Row, field: str) -> Content | Held:
        return picture_of(row, field, folder)

    def make(row: Any) -> list[Record]:
        return [row if isinstance(row, Record) else row_record(row, picture, require_answers, labels, task)]

    checks.setdefault("most_bad", MOST_BAD_ROWS)
    checks.setdefault("check_images", True)
    return collect(name, _entries(data, columns or {}, folder, (name, task)), make, **checks)


def _entries(data: Any, columns: Mapping[str, str], folder: Path | None, called: tuple[str, str]) -> Iterator[Entry]:
    """The rows with their places, counted from 0; ``called``: the name of the data, and that of the task."""
    name, task = called
    if is_dataset(data):
        for place, row in dataset_entries(data, columns, folder, task):
            yield place, plain(row) if isinstance(row, dict) else row
        return
    check_columns(columns, name, task=task)
    for number, row in enumerate(_rows(data, name)):
        yield f"row {number}", renamed(plain(row), columns) if isinstance(row, Mapping) else row


def _rows(data: Any, name: str) -> Iterator[Any]:
    if isinstance(data, Mapping):
        yield from _of_columns(data, name)
    elif isinstance(data, str | bytes):
        check_kind(data, name)
    elif hasattr(data, "__len__") and hasattr(data, "__getitem__"):  # also data sets of torch, which do not end
        yield from (data[number] for number in range(len(data)))
    elif isinstance(data, Iterable):
        yield from data
    else:
        check_kind(data, name)


def _of_columns(data: Mapping[str, Any], name: str) -> Iterator[Row]:
    if any(is_dataset(column) for column in data.values()):
        raise InputError(f"{name}: it has the splits {', '.join(map(str, data))}; give one of them, e.g. data['train']")
    lengths = {field: len(column) for field, column in data.items() if hasattr(column, "__len__")}
    if len(lengths) < len(data) or len(set(lengths.values())) > 1:
        told = ", ".join(f"{field} {lengths.get(field, 'no column')}" for field in data)
        raise InputError(f"{name}: the columns of a mapping need one length; found {told}")
    for number in range(next(iter(lengths.values()), 0)):
        yield {field: column[number] for field, column in data.items()}
