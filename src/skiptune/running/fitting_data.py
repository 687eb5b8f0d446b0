"""The records of a run of generation that its model can learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..data.parts import Data
from ..data.records import Records
from ..tasks.fitting_records import fitting_records
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
