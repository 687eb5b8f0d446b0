"""Records for a task, from what people have in Python."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import InputError
from ..core.shown import shown
from ..data.given_records import Examples
from ..data.readers.collecting import RowChecks
from ..data.readers.objects import read_objects
from ..families.task_names import TaskName
from .registry import task_named
from .task import Task

if TYPE_CHECKING:
    from ..data.records import Records


def records(
    data: Examples,
    task: TaskName | Task | type[Task] | None = None,
    columns: Mapping[str, str] | None = None,
    *,
    images: str | Path | None = None,
    most_bad: float | None = None,
    require_answers: bool = True,
) -> Records:
    """A table of records made of dictionaries, of a ``datasets.Dataset``, or of columns.

    Rows have the fields of a JSON-lines file. A picture is a path, encoded bytes, a Pillow image, or an array or tensor
    ``(height, width)``, ``(height, width, 3)`` or ``(3, height, width)``. Pictures in memory stay there, and those of a
    dataset in it: they are decoded when they are used. A row that cannot be used is left out, counted, and told in
    ``bad`` of the result. :class:`Experiment`, :func:`evaluate` and ``from_records`` take all this as well.

    Args:
        data: rows, a dataset, a mapping from fields to columns of one length, or records.
        task: whose rows they are: its name, its class or itself; ``None``: their fields tell.
        columns: our field to the name that it has in the data, e.g. ``{"question": "prompt"}``.
        images: the folder that paths are relative to; ``None``: the working directory.
        most_bad: share of bad rows above which all are refused; ``None``: 0.2.
        require_answers: whether a row without an answer, label or value is bad.

    Raises:
        InputError: it is something else, it has no such task or column, or too many rows are bad.
    """
    if most_bad is not None and not 0 <= most_bad <= 1:
        raise InputError(f"most_bad: {most_bad} is not a share between 0 and 1")
    checks: RowChecks = {**_checks_of(task), **({} if most_bad is None else {"most_bad": most_bad})}
    return read_objects(data, columns, images, require_answers, **checks)


def _checks_of(task: TaskName | Task | type[Task] | None) -> RowChecks:
    """How rows of the task are told."""
    if task is None:
        return {}
    if isinstance(task, Task):
        return task.own_row_checks()
    if isinstance(task, str):
        return task_named(task).row_checks()
    if not (isinstance(task, type) and issubclass(task, Task)):
        raise InputError(f"task: {shown(task)} is no task; give its name, its class or itself")
    return task.row_checks()
