"""Tables of records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from PIL import Image

from ..core.errors import InputError
from . import record_fields as fields
from .held_pictures import Held, InMemory
from .pictures import Placed, Stored
from .record import Record
from .record_table import BATCH, Table, TableWriter
from .turns import from_json, to_json

_SHOWN = 5


class BadRowsError(InputError):
    """Too many rows of a file are bad.

    Attributes:
        source: the file.
        bad: the problems of all bad rows.
        rows: how many rows there are, good and bad.
    """

    def __init__(self, message: str, source: str, bad: tuple[str, ...], rows: int) -> None:
        super().__init__(message)
        self.source, self.bad, self.rows = source, bad, rows


class Records(Sequence[Record]):
    """Records that are made from the columns of a :class:`Table` on access; selections share the table.

    Attributes:
        source: the file they are from.
        rows: how many rows the reader saw, good and bad.
        bad: the problems of rows that were left out.
        bad_before: how many records the rows before each of these gave, where a reader tells.
        unlabelled: rows left out because the set gives them no label.
    """

    def __init__(
        self,
        source: str,
        table: Table,
        numbers: np.ndarray | None = None,
        rows: int = 0,
        bad: Sequence[str] = (),
        bad_before: Sequence[int] = (),
    ) -> None:
        self.source = source
        self.table = table
        self.numbers = np.arange(len(table)) if numbers is None else numbers
        self.rows = rows or len(self.numbers)
        self.bad, self.bad_before = list(bad), tuple(bad_before)
        self.unlabelled = 0

    @classmethod
    def of(cls, records: Iterable[Record], source: str = "records") -> Records:
        """A table of the given records. Pictures in memory stay there, the table refers to them."""
        if isinstance(records, Records):
            return records
        writer, memory = TableWriter(), InMemory()
        for record in records:
            add_record(writer, record, memory=memory)
        return cls(source, writer.finish())

    @property
    def items(self) -> Records:
        """The records themselves."""
        return self

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Records: ...
    def __getitem__(self, index: int | slice) -> Record | Records:
        if isinstance(index, slice):
            return self.select(np.arange(len(self))[index])
        return self._record(self.table.row(int(self.numbers[index])))

    def __iter__(self) -> Iterator[Record]:
        """All records; rows that follow each other in the table are read together."""
        for start in range(0, len(self), BATCH):
            numbers = self.numbers[start : start + BATCH]
            cuts = np.flatnonzero((np.diff(numbers) != 1) | (numbers[1:] % BATCH == 0)) + 1
            for run in np.split(numbers, cuts):
                batch, place = divmod(int(run[0]), BATCH)
                for row in self.table.batches[batch].slice(place, len(run)).to_pylist():
                    yield self._record(row)

    def select(self, rows: Sequence[int] | np.ndarray) -> Records:
        """The records in ``rows``, in that order."""
        return Records(self.source, self.table, self.numbers[np.asarray(rows, dtype=np.int64)])

    def pictures(self) -> list[Placed]:
        """The distinct images, each once."""
        further = [number for numbers in self.table.further_images(self.numbers).values() for number in numbers]
        named = (self.table.images(name)[self.numbers] for name in ("image", "image2"))
        used = np.unique(np.concatenate([*named, np.array(further, dtype=np.int64)]))
        return [self.table.picture(int(number)) for number in used if number >= 0]

    def _record(self, row: dict[str, Any]) -> Record:
        first, second = row["image"], row["image2"]
        return Record(
            None if first is None else self.table.picture(first),
            row["text"],
            dict(zip(row["answers"], row["scores"], strict=True)),
            None if second is None else self.table.picture(second),
            row["label"] if row["label_name"] is None else row["label_name"],
            tuple(row["captions"]),
            tuple(row["given"]),
            row["majority"],
            row["id"],
            row["group"],
            f"{self.source}, {row['place']}" if row["place"] else "",
            labels=_scored(row["labels"], row["label_scores"]),
            value=row["value"],
            turns=from_json(row["turns"]),
            further=tuple(map(self.table.picture, row["further"] or ())),
            options=tuple(row["options"] or ()),
        )


def add_record(writer: TableWriter, record: Record, place: str = "", memory: InMemory | None = None) -> None:
    """Append a record to a table.

    Args:
        writer: of the table.
        record: what to append.
        place: the row of the table's source that it was read from.
        memory: takes pictures that are in memory.

    Raises:
        InputError: it is no record, the name of an image is not UTF-8, or an image is in memory and there is nothing
            that takes it, or is one of a training, which changes when it is read.
    """
    if not isinstance(record, Record):
        raise InputError(f"records: {type(record).__name__} among them; skiptune.read_jsonl gives records")
    numbers: list[int | None] = []
    for picture in (record.image, record.image2, *record.further):
        if picture is None:
            numbers.append(None)
            continue
        if memory is not None and isinstance(picture, bytes | Image.Image):
            picture = Held(memory, "picture", memory.add(picture))
        if not isinstance(picture, Path | Stored | Held):
            raise InputError(
                f"image: {type(picture).__name__}; a table holds pictures as given, not as training changes them"
            )
        fields.text(str(picture), "image")
        numbers.append(writer.number(picture))
    writer.add(
        (
            numbers[0],
            numbers[1],
            record.text,
            list(record.answers),
            list(record.answers.values()),
            None if isinstance(record.label, str) else record.label,
            record.captions,
            record.given,
            record.majority,
            record.id,
            record.group,
            place,
            record.label if isinstance(record.label, str) else None,
            None if record.labels is None else list(record.labels),
            None if record.labels is None else list(record.labels.values()),
            record.value,
            to_json(record.turns),
            numbers[2:] or None,
            record.options or None,
        )
    )


def _scored(names: list[str] | None, scores: list[float] | None) -> dict[str, float] | None:
    return None if names is None or scores is None else dict(zip(names, scores, strict=True))


def refuse_bad(source: str, count: int, rows: int, bad: Sequence[str], most_bad: float) -> None:
    """Refuse an empty set, and one in which more than ``most_bad`` of the rows are bad.

    Raises:
        InputError: names the file and the first bad rows.
    """
    if bad and (not count or len(bad) > most_bad * rows):
        shown = [f"  - {text}" for text in bad[:_SHOWN]]
        more = [f"  … and {len(bad) - _SHOWN} more"] if len(bad) > _SHOWN else []
        allowed = f", more than most_bad ({most_bad:.3g}) allows" if count else ""
        raise BadRowsError(
            "\n".join([f"{source}: {len(bad)} of {rows} rows are bad{allowed}:", *shown, *more]),
            source,
            tuple(bad),
            rows,
        )
    if not count:
        raise InputError(f"{source}: no records in it")
