"""Rank pictures for a text, or texts for a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

import torch
from torch import nn

from ..core.arguments import expect
from ..core.errors import InputError
from ..data.record import Record
from ..tasks.retrieval import Retrieval
from ..tasks.task import Task
from .predict import BATCH, ready
from .questions import Asked, Pictures, Texts, check_number, pictures_of, texts_of
from .results import Ranked


@overload
def rank(
    model: nn.Module,
    task: Task,
    image: Asked,
    text: Sequence[str],
    top: int | None = None,
    *,
    batch_size: int = BATCH,
) -> list[Ranked]: ...
@overload
def rank(
    model: nn.Module,
    task: Task,
    image: Sequence[Asked],
    text: str,
    top: int | None = None,
    *,
    batch_size: int = BATCH,
) -> list[Ranked]: ...
@torch.inference_mode()
def rank(
    model: nn.Module,
    task: Task,
    image: Pictures,
    text: Texts,
    top: int | None = None,
    *,
    batch_size: int = BATCH,
) -> list[Ranked]:
    """Order several texts by how well they fit a picture, or several pictures by how well they fit a text.

    Args:
        model: for retrieval.
        task: retrieval.
        image: one picture, as :func:`skiptune.predict` takes them, or several.
        text: several texts, or one.
        top: how many to give; ``None``: all of them.
        batch_size: how many pairs the model gets at a time.

    Returns:
        What was given several times, best first. Those that cannot be read come last, with an ``error``.

    Raises:
        InputError: another task, several of both or of neither, the one picture or text cannot be read, or an argument
            of another type.
    """
    expect("rank", model=(model, nn.Module), task=(task, Task))
    if not isinstance(task, Retrieval):
        raise InputError(f"task {task.name!r}: ranks nothing; a model for retrieval ranks texts and pictures")
    check_number("batch_size", batch_size, "how many pairs to compare at a time")
    if top is not None:
        check_number("top", top, "how many to give")
    pictures, texts = pictures_of(image), texts_of(text)
    if isinstance(pictures, list) == isinstance(texts, list):
        raise InputError("image, text: expected one picture and a list of texts, or a list of pictures and one text")
    with ready(model, task) as asked:
        assert isinstance(asked, Retrieval)
        if isinstance(texts, list):
            found = _texts(model, asked, pictures, texts, batch_size)
        else:
            found = _pictures(model, asked, pictures, texts, batch_size)
    return found[:top]


def _texts(model: nn.Module, task: Retrieval, picture: Asked, texts: list[str], size: int) -> list[Ranked]:
    """The texts, best first."""
    record = Record(picture)  # type: ignore[arg-type]  # a record makes a picture of it
    problems = {row: _problem_of_text(text) for row, text in enumerate(texts)}
    good = [row for row, problem in problems.items() if problem is None]
    scores: Iterable[float] = task.pair_scores(model, [record], [texts[row] for row in good], size)[0] if good else ()
    return _ordered([str(text) for text in texts], dict(zip(good, map(float, scores), strict=True)), problems)


def _pictures(model: nn.Module, task: Retrieval, pictures: list[Asked], text: str, size: int) -> list[Ranked]:
    """The pictures, best first."""
    if (problem := _problem_of_text(text)) is not None:
        raise InputError(problem)
    records: dict[int, Record] = {}
    problems: dict[int, str | None] = {}
    for row, picture in enumerate(pictures):
        try:
            record = Record(picture)  # type: ignore[arg-type]
            task.images.pixels(record.picture)
            records[row] = record
        except InputError as error:
            problems[row] = str(error)
    scores: Iterable[float] = task.pair_scores(model, list(records.values()), [text], size)[:, 0] if records else ()
    names = [str(picture) if isinstance(picture, str | Path) else "in memory" for picture in pictures]
    return _ordered(names, dict(zip(records, map(float, scores), strict=True)), problems)


def _problem_of_text(text: object) -> str | None:
    if not isinstance(text, str):
        return f"text: {text!r} is not a text"
    return None if text.strip() else "text: it is empty"


def _ordered(names: list[str], scores: dict[int, float], problems: dict[int, str | None]) -> list[Ranked]:
    """By falling score; of equal ones the first given first. Those without a score come last."""
    order = sorted(range(len(names)), key=lambda row: -scores.get(row, -float("inf")))
    return [Ranked(row, names[row], scores.get(row), problems.get(row)) for row in order]
