"""Batches of a part: rows of about equal size together, and what the model needs of them, made in other threads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from torch import Tensor

from ...core.errors import InputError, RunError
from ...data.record import Record
from ...tasks.generation.task import Generation
from ...tasks.task import Task
from .asked_rows import AskedRows, BadRow
from .asking import Asking, Preparing
from .part import Part


@dataclass(frozen=True)
class PartPlan:
    """A part, read and sorted.

    Attributes:
        part: which.
        task: with a place of its own for decoded pictures.
        rows: what is asked.
        batches: places in ``rows``, those of a batch together.
    """

    part: Part
    task: Task
    rows: list[Record | BadRow]
    batches: list[list[int]]

    @classmethod
    def of(cls, asked: AskedRows, part: Part, task: Task, asking: Asking, preparing: Preparing) -> PartPlan:
        """Read the rows of a part and sort them by size."""
        rows = list(asked.between(part.start, part.stop))
        own = task.keeping(preparing.kept_bytes)
        sizes = {place: own.extent(row) for place, row in enumerate(rows) if isinstance(row, Record)}
        order = sorted(sizes, key=lambda place: sizes[place])
        batches = [order[start : start + asking.batch_size] for start in range(0, len(order), asking.batch_size)]
        return cls(part, own, rows, batches or [[]])

    def records(self, batch: list[int]) -> list[Record]:
        """The records of a batch. Where answers are drawn, one without ``id`` has its place as such: it decides the
        draw."""
        found = ((self.part.start + place, self.rows[place]) for place in batch)
        rows = [(number, row) for number, row in found if isinstance(row, Record)]
        if not isinstance(self.task, Generation):
            return [row for _, row in rows]
        return [row if row.id else replace(row, id=str(number)) for number, row in rows]


@dataclass(frozen=True)
class PreparedBatch:
    """A batch that the model can be asked.

    Attributes:
        plan: of its part.
        last: whether it is the last of the part.
        places: of its rows among those of the part.
        records: of these.
        inputs: what :meth:`Task.prepare` made of them; ``None``: nothing is prepared.
        errors: by place, why others cannot be asked.
    """

    plan: PartPlan
    last: bool
    places: list[int]
    records: list[Record]
    inputs: dict[str, Tensor] | None
    errors: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: PartPlan, batch: list[int], last: bool) -> PreparedBatch:
        """Read, decode and encode what is in a batch; rows of which that fails are left out, with the reason."""
        task, records = plan.task, plan.records(batch)
        if not records or not prepares(task):
            return cls(plan, last, batch, records, None)
        try:
            return cls(plan, last, batch, records, task.prepare(records))
        except (InputError, RunError):
            errors = dict(_failing(task, batch, records))
        fine = [(place, record) for place, record in zip(batch, records, strict=True) if place not in errors]
        places, good = [place for place, _ in fine], [record for _, record in fine]
        try:
            inputs = task.prepare(good) if errors and good else None
        except (InputError, RunError):  # not the fault of one of them
            inputs = None
        return cls(plan, last, places, good, inputs, errors)


def prepares(task: Task) -> bool:
    """Whether answers of a task are made of what it prepares; a task of one's own may have its own way."""
    return type(task).best_answers is Task.best_answers


def _failing(task: Task, batch: list[int], records: list[Record]) -> Iterator[tuple[int, str]]:
    """The rows that fail by themselves."""
    for place, record in zip(batch, records, strict=True):
        try:
            task.prepare([record])
        except (InputError, RunError) as error:
            yield place, str(error)
