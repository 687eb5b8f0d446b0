"""Questions of a request, ready for a model: checked, with their pictures decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.errors import InputError
from ..data.held_pictures import Held, InMemory
from ..data.record import Record
from ..predicting.questions import Questions
from ..predicting.stream import writing
from ..tasks.generation.task import Generation
from ..tasks.task import Task
from .asked import Ask

_ANSWERS = 5


@dataclass(frozen=True)
class Prepared:
    """A question to a model of one task, ready to be one of a batch.

    Attributes:
        record: of the task; its pictures are held in memory.
        pixels: of its pictures, as the task's store has them.
        top: how many answers to give.
        decoding: how the answer is written; questions that differ in it are not of one batch.
    """

    record: Record
    pixels: dict[Held, np.ndarray]
    top: int
    decoding: tuple[tuple[str, Any], ...] = ()


def prepared(task: Task, ask: Ask, pictures: Sequence[bytes]) -> list[Prepared]:
    """One for each text of a request. Pictures are decoded, and resized as the task does it.

    Args:
        task: of the model.
        ask: the request.
        pictures: encoded, of known sizes.

    Raises:
        InputError: the task does not take such a question, or a picture cannot be read.
    """
    source = InMemory()
    held = [Held(source, "image", source.add(content)) for content in pictures]
    records = _written(task, ask, held) if isinstance(task, Generation) else _chosen(task, ask, held)
    store = task.images.reporting(None)
    pixels = {place: store.pixels(content) for place, content in zip(held, pictures, strict=True)}
    top = ask.top or len(ask.options) or (1 if isinstance(task, Generation) else _ANSWERS)
    return [Prepared(record, pixels, top, tuple(ask.decoding.items())) for record in records]


def _chosen(task: Task, ask: Ask, held: Sequence[Held]) -> list[Record]:
    """Questions to a model that does not write."""
    if ask.decoding or ask.options:
        writing(task)
    if len(held) != task.number:
        raise InputError(f"image: {len(held)} given; this model is about {task.number}, all questions about the same")
    text = list(ask.texts) if task.needs_text or any(ask.texts) else None
    pictures: list[Any] = [*held, None]  # a record takes what is held as a picture, too
    found = Questions.of(task, pictures[:1] * len(ask.texts), text, pictures[1])
    return [_good(asked) for asked in found.asked]


def _written(task: Generation, ask: Ask, held: Sequence[Held]) -> list[Record]:
    """Questions to a model that writes."""
    task.with_decoding(**ask.decoding)
    if len(set(ask.options)) < len(ask.options):
        raise InputError("options: one is there twice; give each answer once")
    first, further = next(iter(held), None), tuple(held[1:])
    if first is None and not all(text.strip() for text in ask.texts):
        raise InputError("text: there is none, and no picture; give a question, a picture or both")
    records: list[Any] = [Record(first, text, further=further, options=ask.options) for text in ask.texts]
    return [_good(asked) for asked in Questions.of(task, records, None, None).asked]


def _good(asked: Record | InputError) -> Record:
    """A record that can be asked, numbered as if it were asked alone: what is drawn depends on it."""
    if isinstance(asked, InputError):
        raise asked
    return replace(asked, id="0")
