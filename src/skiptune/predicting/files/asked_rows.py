"""What is asked row by row: the records of a file, and in their places the rows that are none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from ...data.record import Record
from ...data.records import Records


@dataclass(frozen=True)
class BadRow:
    """A row of which a reader could make no record.

    Attributes:
        problem: its place in the file, and what is wrong.
    """

    problem: str


class AskedRows:
    """The rows of a file in its order.

    Args:
        records: as a reader gives them.
        images: the folder that the rows' images are relative to; ``None``: their names are told whole.
    """

    def __init__(self, records: Records, images: Path | None = None) -> None:
        self.records, self.images = records, images
        # behind so many records, and behind the bad rows before it
        self._places = np.array(records.bad_before, dtype=np.int64) + np.arange(len(records.bad_before))

    def __len__(self) -> int:
        return len(self.records) + len(self._places)

    def between(self, start: int, stop: int) -> Iterator[Record | BadRow]:
        """The rows from ``start`` on, up to ``stop``."""
        first, last = np.searchsorted(self._places, (start, stop))
        bad = iter(zip(self._places[first:last].tolist(), self.records.bad[first:last], strict=True))
        place, problem = next(bad, (-1, ""))
        records = iter(self.records[start - int(first) : stop - int(last)])
        for row in range(start, stop):
            if row == place:
                yield BadRow(problem)
                place, problem = next(bad, (-1, ""))
            else:
                yield from islice(records, 1)
