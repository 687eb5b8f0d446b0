"""A part of the data under examination."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..data.record import Record
from ..data.records import Records

#: Draws the rows of a sample; the same at every call.
_SEED = 0


@dataclass(frozen=True)
class CheckedPart:
    """The rows of one part.

    Attributes:
        name: ``train``, ``validation`` or ``test``.
        source: the file they are from.
        records: the usable ones.
        rows: how many the reader saw.
        bad: the problems of those that it left out, each after its place.
        unlabelled: how many the set gives no label.
    """

    name: str
    source: str
    records: Records
    rows: int
    bad: tuple[str, ...] = ()
    unlabelled: int = 0

    def placed(self) -> Iterator[tuple[str, Record]]:
        """All records with what messages call their places."""
        for number, record in zip(self.records.numbers, self.records, strict=True):
            yield record.place or f"{self.source}, record {int(number) + 1}", record

    def sample(self, most: int) -> CheckedPart:
        """The part, or ``most`` of its records, drawn at random, in their order."""
        if len(self.records) <= most:
            return self
        chosen = np.sort(np.random.default_rng(_SEED).permutation(len(self.records))[:most])
        return CheckedPart(self.name, self.source, self.records.select(chosen), self.rows)
