"""Answer the rows of parts. What a part's rows are answered depends on nothing outside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import torch

from ...core.errors import InputError, RunError
from ...data.record import Record
from ...tasks.task import Task
from ..predict import answer_batch, ready
from ..results import Prediction
from .answered_row import AnsweredRow
from .asked_rows import AskedRows, BadRow
from .asking import Asking, Preparing
from .part import Part
from .prepared_batch import PartPlan, PreparedBatch, prepares
from .side_work import in_advance


def answer_part(
    model: Any, task: Task, asked: AskedRows, part: Part, asking: Asking, preparing: Preparing | None = None
) -> list[AnsweredRow]:
    """The answers to one part, see :func:`answer_parts`."""
    return next(rows for _, rows in answer_parts(model, task, asked, [part], asking, preparing))


@torch.inference_mode()
def answer_parts(
    model: Any,
    task: Task,
    asked: AskedRows,
    parts: Iterable[Part],
    asking: Asking,
    preparing: Preparing | None = None,
    advance: Callable[[int], object] = lambda rows: None,
) -> Iterator[tuple[Part, list[AnsweredRow]]]:
    """The answers to parts, in their order; a row that cannot be answered has an error.

    Rows are read, decoded and encoded in threads while the model computes, also those of the next part.

    Args:
        model: of the task.
        task: of the model.
        asked: all rows.
        parts: which of them.
        asking: how; the answers depend on it.
        preparing: with how many threads.
        advance: told how many rows more are answered.
    """
    how = preparing or Preparing()
    with ready(model, task) as open_task:
        answering = open_task.asked_model(model) if prepares(open_task) else model
        answered: dict[int, Prediction] = {}
        for batch in _prepared(asked, parts, open_task, asking, how):
            answered.update(_answers(model, answering, batch, asking.top))
            advance(len(batch.places) + len(batch.errors))
            if batch.last:
                advance(len(batch.plan.part) - len(answered))  # those that are no records
                yield batch.plan.part, _rows(batch.plan, answered, asked)
                answered = {}


def _prepared(
    asked: AskedRows, parts: Iterable[Part], task: Task, asking: Asking, preparing: Preparing
) -> Iterator[PreparedBatch]:
    """The batches of all parts."""
    plans = in_advance(
        (partial(PartPlan.of, asked, part, task, asking, preparing) for part in parts), min(preparing.workers, 1)
    )
    return in_advance((job for plan in plans for job in _batch_jobs(plan)), preparing.workers)


def _batch_jobs(plan: PartPlan) -> Iterator[Callable[[], PreparedBatch]]:
    for number, batch in enumerate(plan.batches, start=1):
        yield partial(PreparedBatch.of, plan, batch, number == len(plan.batches))


def _answers(model: Any, answering: Any, batch: PreparedBatch, top: int) -> dict[int, Prediction]:
    """Predictions by place."""
    found = {place: Prediction((), error) for place, error in batch.errors.items()}
    if batch.records:
        found.update(zip(batch.places, _ask(model, answering, batch, top), strict=True))
    return found


def _ask(model: Any, answering: Any, batch: PreparedBatch, top: int) -> Sequence[Prediction]:
    """Ask a batch; ``answering`` is what the task made of the model."""
    task = batch.plan.task
    if batch.inputs is not None:
        try:
            return [Prediction(answers) for answers in task.answers_to(answering, batch.records, batch.inputs, top)]
        except (InputError, RunError):  # of one of them; it is found alone
            pass
    return answer_batch(model, task, batch.records, top)


def _rows(plan: PartPlan, answered: dict[int, Prediction], asked: AskedRows) -> list[AnsweredRow]:
    def row_of(place: int, row: Record | BadRow) -> AnsweredRow:
        if isinstance(row, BadRow):
            return AnsweredRow.of_bad(row.problem)
        found = answered[place]
        error = found.error and found.error.removeprefix(f"{asked.records.source}, ")  # the same for all rows
        return AnsweredRow.of(row, found.answers, error, asked.images)

    return [row_of(place, row) for place, row in enumerate(plan.rows)]
