"""The records of a run of generation that its model can learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import InputError
from ..data.damaged import Damaged
from ..data.parts import Data
from ..data.records import Records
from ..tasks.generation.task import Generation


def fitting_data(data: Data, task: Generation, most_bad: float | None, logs: Path | None = None) -> Data:
    """The data without records that do not fit the model; they are among the bad rows of the result.

    Args:
        data: of the run.
        task: with the model's processor.
        most_bad: the share of a part that may be left out; ``None``: as of images, see
            :class:`~skiptune.data.damaged.Damaged`.
        logs: folder whose files ``bad-PART.log`` name the records, too; ``None``: none does.

    Raises:
        InputError: more do not fit.
    """
    bad = {part: list(rows) for part, rows in data.bad_rows.items()}
    changes: dict[str, Any] = {}
    for part in ("train", "validation", "reserved", "test"):
        records = Records.of(getattr(data, part))
        fitting = fitting_records(records, part, task, most_bad)
        if fitting is not records:
            problems = fitting.bad[len(records.bad) :]
            if logs is not None:
                _log(logs / f"bad-{part}.log", problems, behind=bool(bad.get(part)))
            bad.setdefault(part, []).extend(problems)
            changes[part] = fitting
    return replace(data, bad_rows=bad, **changes)


def _log(file: Path, problems: Sequence[str], behind: bool) -> None:
    """Write problems to a file, ``behind`` those that the reader wrote there, or instead of an earlier run's."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a" if behind else "w", encoding="utf-8", errors="backslashreplace") as opened:
        opened.writelines(f"{problem}\n" for problem in problems)


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
