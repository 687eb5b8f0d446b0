"""Measure a model on records, and predict single answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from ..core.errors import InputError
from ..data.record import Record
from .answer import Answer
from .task import Evaluation, Task


@torch.inference_mode()
def evaluate(
    model: nn.Module, task: Task, records: Sequence[Record], batch_size: int = 64, title: str = "evaluating"
) -> Evaluation:
    """Measure ``model`` as it stands (with the blocks skipped that are skipped now).

    Raises:
        InputError: there are no records, they are not of the task, or an image cannot be read.
    """
    if not records:
        raise InputError("there are no records to evaluate")
    task.check(records)
    training = model.training
    model.eval()
    try:
        return task.measure(model, records, batch_size, title)
    finally:
        model.train(training)


@torch.inference_mode()
def predict(
    model: nn.Module, task: Task, image: str | Path, text: str, top: int = 5, image2: str | Path | None = None
) -> list[Answer]:
    """The ``top`` most likely answers, each ``{"answer", "probability"}``, best first.

    Retrieval gives one entry, ``{"answer", "score"}``: how well image and text go together, to compare with others.

    Raises:
        InputError: an image cannot be read, the text is empty, or the task is about another number of images.
    """
    if not text.strip():
        raise InputError("the question is empty")
    second = None if image2 is None else Path(image2)
    model.eval()
    return task.answer(model, Record(Path(image), text, image2=second), top)
