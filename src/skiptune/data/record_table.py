"""Records as columns of an Arrow table: written batch by batch, kept in memory while small, memory-mapped otherwise."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ..core.files import telling_of
from .held_pictures import Held, PictureSource
from .pictures import Placed, Stored
from .temporary_folder import temporary_folder

#: Rows per record batch. Every batch but the last has exactly as many, so a row is found by division.
BATCH = 8192
#: A table of more bytes goes to a temporary file (``TMPDIR`` says where) and is mapped from there.
_IN_MEMORY = 8 * 2**20

_TEXTS = pa.list_(pa.string())
SCHEMA = pa.schema(
    {
        "image": pa.int32(),
        "image2": pa.int32(),
        "text": pa.string(),
        "answers": _TEXTS,
        "scores": pa.list_(pa.float64()),
        "label": pa.int64(),
        "captions": _TEXTS,
        "given": _TEXTS,
        "majority": pa.string(),
        "id": pa.string(),
        "group": pa.string(),
        "place": pa.string(),
        "label_name": pa.string(),
        "labels": _TEXTS,
        "label_scores": pa.list_(pa.float64()),
        "value": pa.float64(),
        "turns": pa.string(),
        "further": pa.list_(pa.int32()),
        "options": _TEXTS,
    }
)
#: ``source`` numbers what holds the picture, where no file does.
_PICTURES = pa.schema(
    {"path": pa.string(), "column": pa.string(), "row": pa.int64(), "source": pa.int32(), "inside": pa.string()}
)


class Table:
    """Columns of records, and the distinct pictures that ``image`` and ``image2`` number. Pickled by its file name."""

    def __init__(
        self, batches: Sequence[Any], pictures: Any, path: Path | None = None, sources: Sequence[PictureSource] = ()
    ) -> None:
        self.batches = list(batches)
        self.pictures = pictures
        self.path = path
        self.sources = tuple(sources)

    def __len__(self) -> int:
        return sum(batch.num_rows for batch in self.batches)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.path is not None:
            return _open, (self.path, self.sources)
        return Table, (self.batches, self.pictures, None, self.sources)

    def row(self, number: int) -> dict[str, object]:
        """The values of one row by column name."""
        batch, place = divmod(number, BATCH)
        return {
            name: column[place].as_py() for name, column in zip(SCHEMA.names, self.batches[batch].columns, strict=True)
        }

    def column(self, name: str) -> Any:
        """A whole column, as a ChunkedArray."""
        position = SCHEMA.get_field_index(name)
        return pa.chunked_array([batch.column(position) for batch in self.batches], SCHEMA.types[position])

    def images(self, name: str = "image") -> np.ndarray:
        """Picture numbers of all rows, int64, of ``image`` or ``image2``; −1 where there is none."""
        filled = self.column(name).fill_null(-1)
        return np.asarray(filled.to_numpy(), dtype=np.int64)

    def further_images(self, rows: np.ndarray) -> dict[int, list[int]]:
        """Picture numbers of the images after the first by row, of those ``rows`` that have some."""
        column = self.column("further")
        held = np.flatnonzero(np.asarray(column.is_valid().to_numpy(zero_copy_only=False)))
        return {int(row): column[int(row)].as_py() for row in np.intersect1d(held, rows)}

    def picture(self, number: int) -> Placed:
        """A distinct picture by number."""
        path, column, row, source, inside = (values[number].as_py() for values in self.pictures.columns)
        if source is not None:
            return Held(self.sources[source], column, row, inside)
        return Path(path) if column is None else Stored(path, column, row, inside)


class TableWriter:
    """Writes rows into a :class:`Table`. Holds one batch of rows and the distinct pictures at a time."""

    def __init__(self) -> None:
        self._rows: list[list[Any]] = [[] for _ in SCHEMA.names]
        self._numbers: dict[str | Stored | Held, int] = {}
        self._sources: dict[PictureSource, int] = {}
        self._batches: list[Any] = []
        self._bytes = 0
        self._path: Path | None = None
        self._file: Any = None

    def number(self, picture: Placed) -> int:
        """The number of a picture, a new one at its first appearance."""
        if isinstance(picture, Held):
            self._sources.setdefault(picture.source, len(self._sources))
        key = str(picture) if isinstance(picture, Path) else picture
        return self._numbers.setdefault(key, len(self._numbers))

    def add(self, values: Sequence[Any]) -> None:
        """Append a row, its values in the order of ``SCHEMA``."""
        for column, value in zip(self._rows, values, strict=True):
            column.append(value)
        if len(self._rows[0]) == BATCH:
            self._flush()

    def finish(self) -> Table:
        """The table of all rows."""
        if self._rows[0]:
            self._flush()
        places = [self._place(key) for key in self._numbers]
        columns = zip(*places, strict=True) if places else [[] for _ in _PICTURES.names]
        pictures = pa.record_batch(
            [pa.array(values, kind) for values, kind in zip(columns, _PICTURES.types, strict=True)], schema=_PICTURES
        )
        if self._path is None:
            return Table(self._batches, pictures, None, tuple(self._sources))
        self._file.close()
        with pa.ipc.new_file(_pictures_of(self._path), _PICTURES) as file:
            file.write_batch(pictures)
        return _open(self._path, tuple(self._sources))

    def _place(self, key: str | Stored | Held) -> tuple[str | None, str | None, int | None, int | None, str]:
        """A row of the table of pictures."""
        if isinstance(key, Held):
            return None, key.column, key.row, self._sources[key.source], key.inside
        if isinstance(key, str):
            return key, None, None, None, ""
        return key.table, key.column, key.row, None, key.inside

    def close(self) -> None:
        """Remove what was written, after a failure."""
        if self._file is not None:
            self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _flush(self) -> None:
        arrays = [pa.array(values, kind) for values, kind in zip(self._rows, SCHEMA.types, strict=True)]
        batch = pa.record_batch(arrays, schema=SCHEMA)
        for values in self._rows:
            values.clear()
        self._batches.append(batch)
        self._bytes += batch.nbytes
        if self._path is None and self._bytes > _IN_MEMORY:
            handle, name = tempfile.mkstemp(suffix=".arrow", dir=temporary_folder(os.getpid()))
            os.close(handle)
            self._path = Path(name)
            self._file = pa.ipc.new_file(name, SCHEMA)
        if self._file is not None:
            with telling_of(self._path or Path(), "; TMPDIR names another place for such files"):
                for written in self._batches:
                    self._file.write_batch(written)
            self._batches.clear()


def _pictures_of(path: Path) -> str:
    return str(path.with_suffix(".pictures"))


def _open(path: Path, sources: Sequence[PictureSource] = ()) -> Table:
    """Map a written table. Pages are read with the rows, and the system can drop them again."""
    files = [pa.ipc.open_file(pa.memory_map(str(name))) for name in (path, _pictures_of(path))]
    rows, pictures = ([file.get_batch(number) for number in range(file.num_record_batches)] for file in files)
    return Table(rows, pictures[0], path, sources)
