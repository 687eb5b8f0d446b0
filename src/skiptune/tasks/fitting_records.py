"""Records that do not fit a model are left out, counted and named; too many of them stop the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..core.errors import InputError
from ..data.damaged import Damaged
from ..data.record import Record
from ..data.records import Records
from .task import Task


def problems_of(task: Task, records: Sequence[Record], part: str, most_bad: float | None) -> dict[int, str]:
    """Why records do not fit the model, by their numbers.

    Args:
        task: with the model's processor.
        records: of one part.
        part: its name.
        most_bad: the share of them that may not; ``None``: as of images, see :class:`~skiptune.data.damaged.Damaged`.

    Raises:
        InputError: more do not fit.
    """
    problems = dict(task.unfit(records, part)) if len(records) else {}
    most = Damaged(len(records), most_bad).most
    if len(problems) > most:
        first = next(iter(problems.values()))
        raise InputError(
            f"{part}: {len(problems):,} of {len(records):,} records do not fit the model; at most {most:,} may be left "
            f"out (most_bad). The first: {first}"
        )
    return problems


def without(records: Sequence[Record], problems: Mapping[int, str]) -> Sequence[Record]:
    """The records without those that have problems."""
    if not problems:
        return records
    if isinstance(records, Records):
        return records.select(np.setdiff1d(np.arange(len(records)), list(problems)))
    return [record for number, record in enumerate(records) if number not in problems]


def fitting_records(records: Records, part: str, task: Task, most_bad: float | None) -> Records:
    """The records without those that do not fit the model, which are among the bad rows of the result.

    The arguments are those of :func:`problems_of`.

    Raises:
        InputError: too many do not fit.
    """
    problems = problems_of(task, records, part, most_bad)
    if not problems:
        return records
    found = Records.of(without(records, problems))
    found.rows, found.unlabelled = records.rows, records.unlabelled
    found.bad = [*records.bad, *problems.values()]
    return found
