"""The records of a run of generation that its model can learn from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..core.errors import InputError
from ..data.damaged import Damaged
from ..data.parts import Data
from ..data.records import Records
from ..tasks.generation.task import Generation


def fitting_data(data: Data, task: Generation, most_bad: float | None) -> Data:
    """The data without records that do not fit the model; they are among the bad rows of the result.

    Args:
        data: of the run.
        task: with the model's processor.
        most_bad: the share of a part that may be left out; ``None``: as of images, see
            :class:`~skiptune.data.damaged.Damaged`.

    Raises:
        InputError: more do not fit.
    """
    bad = {part: list(rows) for part, rows in data.bad_rows.items()}
    changes: dict[str, Any] = {}
    for part in ("train", "validation", "reserved", "test"):
        records = Records.of(getattr(data, part))
        fitting = fitting_records(records, part, task, most_bad)
        if fitting is not records:
            bad.setdefault(part, []).extend(fitting.bad[len(records.bad) :])
            changes[part] = fitting
    return replace(data, bad_rows=bad, **changes)


def fitting_records(records: Records, part: str, task: Generation, most_bad: float | None) -> Records:
    """The records without those that do not fit the model, which are among the bad rows of the result.

    Args:
        records: of one part.
        part: its name.
        task: with the model's processor.
        most_bad: as for :func:`fitting_data`.

    Raises:
        InputError: more do not fit.
    """
    problems = dict(task.unfit(records, part)) if len(records) else {}
    if not problems:
        return records
    most = Damaged(len(records), most_bad).most
    if len(problems) > most:
        first = next(iter(problems.values()))
        raise InputError(
            f"{part}: {len(problems):,} of {len(records):,} records do not fit the model; at most {most:,} may be left "
            f"out (data.most_bad). The first: {first}"
        )
    found = records.select(np.setdiff1d(np.arange(len(records)), list(problems)))
    found.rows, found.unlabelled = records.rows, records.unlabelled
    found.bad = [*records.bad, *problems.values()]
    return found
