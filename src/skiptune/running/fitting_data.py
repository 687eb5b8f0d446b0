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
        problems = dict(task.unfit(records, part)) if len(records) else {}
        if not problems:
            continue
        if len(problems) > Damaged(len(records), most_bad).most:
            first = next(iter(problems.values()))
            raise InputError(
                f"{part}: {len(problems):,} of {len(records):,} records do not fit the model; at most "
                f"{Damaged(len(records), most_bad).most:,} may be left out (data.most_bad). The first: {first}"
            )
        bad.setdefault(part, []).extend(problems.values())
        changes[part] = records.select(np.setdiff1d(np.arange(len(records)), list(problems)))
    return replace(data, bad_rows=bad, **changes)
