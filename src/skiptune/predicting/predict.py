"""Answer questions about pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import overload

import torch
from torch import nn

from ..core.arguments import expect
from ..core.errors import InputError, RunError
from ..core.progress import track
from ..data.record import Record
from ..tasks.task import Task
from .questions import Asked, Pictures, Questions, Texts, check_number
from .results import Prediction

#: Questions in a batch.
BATCH = 16


@overload
def predict(  # type: ignore[overload-overlap]  # a text is a sequence of texts, too
    model: nn.Module,
    task: Task,
    image: Asked | None,
    text: str | None = None,
    top: int = 5,
    image2: Asked | None = None,
    *,
    batch_size: int = BATCH,
) -> Prediction: ...
@overload
def predict(
    model: nn.Module,
    task: Task,
    image: Asked,
    text: Sequence[str],
    top: int = 5,
    image2: Pictures | None = None,
    *,
    batch_size: int = BATCH,
) -> list[Prediction]: ...
@overload
def predict(
    model: nn.Module,
    task: Task,
    image: Sequence[Asked],
    text: Texts | None = None,
    top: int = 5,
    image2: Pictures | None = None,
    *,
    batch_size: int = BATCH,
) -> list[Prediction]: ...
@torch.inference_mode()
def predict(
    model: nn.Module,
    task: Task,
    image: Pictures | None,
    text: Texts | None = None,
    top: int = 5,
    image2: Pictures | None = None,
    *,
    batch_size: int = BATCH,
) -> Prediction | list[Prediction]:
    """The ``top`` most likely answers to one question, or to each of several, in their order.

    One picture goes with several texts, and one text with several pictures. A question that cannot be asked, because
    its picture cannot be read, has an ``error`` and no answers if there are others; alone it raises. Retrieval gives
    one answer, the text with its score; :func:`skiptune.rank` compares several.

    Args:
        model: with blocks skipped or not, slim, or from :func:`skiptune.load_onnx`.
        task: of the model.
        image: a path, encoded bytes, an open file, a Pillow image, an array or tensor ``(height, width)``,
            ``(height, width, 3)`` or ``(3, height, width)``; or several. A record in its place is asked as it is; a
            model that writes text needs none.
        text: a question, statement, hypothesis or caption, or several; only tasks that do without may leave it out.
        top: how many answers to give to each question.
        image2: the second picture of a statement about two.
        batch_size: how many questions the model gets at a time. Of several batches a bar shows the progress.

    Returns:
        A :class:`Prediction` of one question, a list of them of several.

    Raises:
        InputError: an argument of another type, as many pictures as texts are not there, or a single question whose
            picture cannot be read, whose text is empty, or with another number of pictures than the task is about.
    """
    expect("predict", model=(model, nn.Module), task=(task, Task))
    check_number("top", top, "how many answers to give")
    check_number("batch_size", batch_size, "how many questions to ask at a time")
    questions = Questions.of(task, image, text, image2)
    with ready(model, task) as asked:
        found = _answer_all(model, asked, questions, top, batch_size)
    return found[0] if questions.single else found


@contextmanager
def ready(model: nn.Module, task: Task) -> Iterator[Task]:
    """Context with the task, whose damaged pictures raise, and the model in evaluation mode."""
    task.cut_texts_for(model)
    training = model.training
    if training:
        model.eval()
    try:
        yield task.reporting(None)
    finally:
        if training:
            model.train()


def _answer_all(model: nn.Module, task: Task, questions: Questions, top: int, batch_size: int) -> list[Prediction]:
    """A prediction for each question.

    Raises:
        InputError, RunError: a question that was asked alone cannot be answered.
    """
    asked = questions.asked
    found = [Prediction((), str(entry)) if isinstance(entry, InputError) else Prediction(()) for entry in asked]
    rows = [row for row, entry in enumerate(asked) if isinstance(entry, Record)]
    if questions.single and not rows:
        raise InputError(found[0].error)
    batches = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    for batch in track(batches, "predicting") if len(batches) > 1 else batches:
        records = [entry for row in batch if isinstance(entry := asked[row], Record)]
        for row, prediction in zip(batch, answer_batch(model, task, records, top, questions.single), strict=True):
            found[row] = prediction
    return found


def answer_batch(
    model: nn.Module, task: Task, records: Sequence[Record], top: int, single: bool = False
) -> Sequence[Prediction]:
    """The predictions of a batch. One that fails is divided, until those that fail are alone.

    Args:
        model: in evaluation mode.
        task: of the model; damaged pictures raise.
        records: the batch.
        top: answers to each.
        single: whether it was asked alone, and what fails is raised.
    """
    try:
        return [Prediction(answers) for answers in task.best_answers(model, records, top)]
    except (InputError, RunError) as error:
        if single:
            raise
        if len(records) == 1:
            return [Prediction((), str(error))]
    half = len(records) // 2
    parts = (records[:half], records[half:])
    return [prediction for part in parts for prediction in answer_batch(model, task, part, top, single)]
