"""Measure a model on records."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from ..core.arguments import expect
from ..core.errors import InputError
from ..core.formatting import counted
from ..core.progress import say_once
from ..data.given_records import Examples, as_records
from ..models.evaluation_mode import evaluation_mode
from .evaluation_result import Evaluation
from .fitting_records import problems_of, without
from .replacing import replacing_damaged
from .task import Task


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    task: Task,
    records: Examples,
    batch_size: int = 64,
    title: str = "evaluating",
    most_bad: float | None = None,
) -> Evaluation:
    """Measure ``model`` as it stands (with the blocks skipped that are skipped now).

    An image that cannot be read is replaced by one of the mean colour and named in the result's ``damaged``. A record
    that does not fit a model that writes is left out and named in its ``bad``.

    Args:
        model: for the task.
        task: what is measured.
        records: of the task, or rows that :func:`skiptune.records` takes. Those without an answer are predicted only.
        batch_size: records in a batch.
        title: of the progress bar.
        most_bad: the share of images that cannot be read, and of records that do not fit, above which to stop;
            ``None``: 1 %, but up to ten where there are few, and never more than a fifth.

    Raises:
        InputError: an argument of another type, there are no records, they are not of the task, too many do not fit or
            images cannot be read, or ``batch_size`` or ``most_bad`` is out of range.
    """
    expect("evaluate", model=(model, nn.Module), task=(task, Task), batch_size=(batch_size, int))
    found = as_records(records, task.own_row_checks(), require_answers=False)
    if not found:
        raise InputError("there are no records to evaluate")
    if batch_size < 1:
        raise InputError(f"batch_size: {batch_size}; a batch has at least 1 record")
    if most_bad is not None and not 0 <= most_bad <= 1:
        raise InputError(f"most_bad: {most_bad} is not a share between 0 and 1")
    task.check(found)
    task.cut_texts_for(model)
    problems = problems_of(task, found, title, most_bad)
    kept = without(found, problems)
    if problems:
        say_once(f"{title}: {counted(len(problems), 'records')} left out, e.g. {next(iter(problems.values()))}")
    if not kept:
        raise InputError("there are no records to evaluate")
    with evaluation_mode(model), replacing_damaged(task, kept, most_bad=most_bad) as (reporting, damaged):
        measured = reporting.measure(model, kept, batch_size, title).with_bad(problems)
    return measured if damaged is None else replace(measured, damaged=tuple(damaged.problems()))
