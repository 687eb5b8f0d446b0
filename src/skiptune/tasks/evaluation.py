"""Measure a model on records, and predict single answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import torch
from PIL import Image
from torch import nn

from ..core.arguments import expect
from ..core.errors import InputError
from ..data.pictures import Picture
from ..data.record import Record, check_kind
from .answer import Answer
from .replacing import replacing_damaged
from .task import Evaluation, Task

#: An image to ask about.
Asked: TypeAlias = str | Path | bytes | Image.Image


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    task: Task,
    records: Sequence[Record],
    batch_size: int = 64,
    title: str = "evaluating",
    most_bad: float | None = None,
) -> Evaluation:
    """Measure ``model`` as it stands (with the blocks skipped that are skipped now).

    An image that cannot be read is replaced by one of the mean colour and named in the result's ``damaged``.

    Args:
        model: for the task.
        task: what is measured.
        records: of the task.
        batch_size: records in a batch.
        title: of the progress bar.
        most_bad: the share of images that cannot be read above which to stop; ``None``: 1 %, but up to ten where there
            are few, and never more than a fifth.

    Raises:
        InputError: an argument of another type, there are no records, they are not of the task, too many images cannot
            be read, or ``batch_size`` or ``most_bad`` is out of range.
    """
    expect("evaluate", model=(model, nn.Module), task=(task, Task), batch_size=(batch_size, int))
    check_kind(records)
    if not records:
        raise InputError("there are no records to evaluate")
    if batch_size < 1:
        raise InputError(f"batch_size: {batch_size}; a batch has at least 1 record")
    if most_bad is not None and not 0 <= most_bad <= 1:
        raise InputError(f"most_bad: {most_bad} is not a share between 0 and 1")
    task.check(records)
    task.cut_texts_for(model)
    training = model.training
    model.eval()
    try:
        with replacing_damaged(task, records, most_bad=most_bad) as (reporting, damaged):
            found = reporting.measure(model, records, batch_size, title)
    finally:
        model.train(training)
    return found if damaged is None else replace(found, damaged=tuple(damaged.problems()))


@torch.inference_mode()
def predict(
    model: nn.Module, task: Task, image: Asked, text: str, top: int = 5, image2: Asked | None = None
) -> list[Answer]:
    """The ``top`` most likely answers, each ``{"answer", "probability"}``, best first.

    Retrieval gives one entry, ``{"answer", "score"}``: how well image and text go together, to compare with others.

    Images are files, encoded bytes, or Pillow images.

    Raises:
        InputError: an argument of another type, an image cannot be read, the text is empty, ``top`` is less than 1, or
            the task is about another number of images.
    """
    expect("predict", model=(model, nn.Module), task=(task, Task), text=(text, str))
    if not text.strip():
        raise InputError("the question is empty")
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise InputError(f"top: {top!r}; expected how many answers to give, at least 1")
    if image2 is None and task.number == 2:
        raise InputError("image2: this model is about two images; give the second one")
    if image2 is not None and task.number == 1:
        raise InputError("image2: this model is about one image; leave it out")
    second = None if image2 is None else _picture(image2)
    model.eval()
    task.cut_texts_for(model)
    return task.reporting(None).answer(model, Record(_picture(image), text, image2=second), top)


def _picture(image: Asked) -> Picture:
    return Path(image) if isinstance(image, str) else image
