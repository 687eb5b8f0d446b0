"""The unit of work of a file of answers: some rows, which are asked together, anywhere and in any order."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """Rows that are asked together. What is answered to a row depends on the rows of its part alone.

    Attributes:
        number: from 0 on.
        start: the first row.
        stop: the row behind the last.
    """

    number: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def all_parts(rows: int, size: int) -> list[Part]:
    """The parts of ``rows`` rows, ``size`` in each but the last."""
    starts = range(0, rows, size)
    return [Part(number, start, min(start + size, rows)) for number, start in enumerate(starts)]
