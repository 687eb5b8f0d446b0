"""Rows of one's own: JSON lines and CSV tables beside a folder of images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from ..core.errors import InputError
from ..data.readers.csv_table import read_rows
from ..data.readers.json_lines import read_lines
from ..data.readers.renaming import check_columns, renamed
from .conversation_rows import conversation_layout, dialect_in, named_images
from .image_folders import image_folder_of
from .layout import Layout, as_fields, by_part
from .row_names import column_names, task_of_rows

#: Rows that are looked at.
LOOKED_AT = 200
_TABLES = (".csv", ".tsv")
_LINES = (".jsonl", ".ndjson", ".json")


def own_rows(folder: Path, file: Path | None, columns: Mapping[str, str]) -> Layout | None:
    """JSON lines or tables in ``folder``, or only ``file``; ``None``: there are none.

    ``columns``: our fields and their names in the rows, where they are not the usual ones.

    Raises:
        InputError: no image that the rows name is there, or no name tells which of several files is for training.
    """
    for kind, endings, name in (("JSON lines", _LINES, "jsonl"), ("a CSV table", _TABLES, "csv")):
        given = [file] if file is not None else [path for path in sorted(folder.iterdir()) if path.is_file()]
        files = {path: rows for path in given if path.suffix.lower() in endings and (rows := first_rows(path))}
        if files:
            return _layout(folder, (kind, name), files, columns)
    return None


def first_rows(path: Path) -> list[Mapping[str, object]]:
    """The first good rows of a file; none where it holds something else."""
    try:
        rows: Iterator[object] = (row for _, row in _entries(path))
        return [row for row in islice(rows, LOOKED_AT) if isinstance(row, dict)]
    except InputError:
        return []


def _entries(path: Path) -> Iterator[tuple[str, object]]:
    return read_rows(path, {}) if path.suffix.lower() in _TABLES else read_lines(path)


def _layout(
    folder: Path,
    form: tuple[str, str],
    files: Mapping[Path, Sequence[Mapping[str, object]]],
    given: Mapping[str, str],
) -> Layout:
    kind, name = form
    parts = by_part(files)
    first = files[parts["train"]]
    check_columns(given, "--column", task="generation")
    rows = [row for found in first if isinstance(row := renamed(found, given), dict)]
    if name == "jsonl" and (dialect := dialect_in(rows)) is not None:
        return conversation_layout(folder, dialect, parts, rows, given)
    names = tuple(dict.fromkeys(key for row in first for key in row))
    columns = column_names(names, given)
    rows = [row for found in first if isinstance(row := renamed(found, columns), dict)]
    images = named_images(rows)
    if not images:
        raise InputError(
            f"{parts['train']}: its rows name no image; they have {', '.join(names)}; give --column image=NAME"
        )
    data: dict[str, object] = {"name": name, **as_fields(parts), "images": str(image_folder_of(images, folder))}
    return Layout(kind, {**data, **({"columns": columns} if columns else {})}, task_of_rows(rows), names)
