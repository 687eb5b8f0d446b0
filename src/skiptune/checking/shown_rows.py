"""Rows as the model sees them: the text of their tokens, with answers marked and images abbreviated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, TypeAlias

from ..core.errors import InputError, first_line
from ..core.ignored_label import IGNORED
from ..data.pictures import Picture
from ..data.record import Record
from ..tasks.generation.task import Generation
from ..tasks.task import Task
from .checked_part import CheckedPart
from .said import said_by
from .uncut import uncut

#: ``prompt``: read; ``answer``: learnt; ``image``: in place of its tokens; ``cut``: a note of what is cut.
SegmentKind: TypeAlias = Literal["prompt", "answer", "image", "cut"]


@dataclass(frozen=True)
class Segment:
    """A piece of a row."""

    kind: SegmentKind
    text: str


@dataclass(frozen=True)
class ShownRow:
    """A row as the model sees it.

    Attributes:
        place: file and row.
        part: the part it is in.
        segments: its pieces in their order.
        pictures: its images.
    """

    place: str
    part: str
    segments: tuple[Segment, ...]
    pictures: tuple[Picture, ...]


def show_rows(part: CheckedPart, task: Task | None, count: int) -> tuple[ShownRow, ...]:
    """``count`` rows, from all over the part; as texts of the data where there is no model."""
    rows = list(part.sample(count).placed())
    return tuple(ShownRow(place, part.name, tuple(segments_of(record, task)), record.images) for place, record in rows)


def segments_of(record: Record, task: Task | None) -> Iterator[Segment]:
    """The pieces of a record; one that cannot be shown says why."""
    if not isinstance(task, Generation):
        yield from _of_texts(record, task)
        return
    try:
        batch = task.collate([record]) if task.answered(record) else task.prompts([record])
        yield from _of_tokens(batch, task)
        yield from _cut(batch, record, task)
    except Exception as error:  # processors raise many kinds of exceptions
        yield Segment("cut", f"cannot be shown: {first_line(error)}")


def _of_tokens(batch: dict[str, Any], task: Generation) -> Iterator[Segment]:
    tokenizer, image = task.processor.tokenizer, getattr(task.processor.whole, "image_token_id", None)
    real = batch["attention_mask"][0].bool()
    ids = batch["input_ids"][0][real].tolist()
    learnt = (
        [label != IGNORED for label in batch["labels"][0][real].tolist()] if "labels" in batch else [False] * len(ids)
    )
    kinds: list[SegmentKind] = [
        "image" if token == image else "answer" if own else "prompt" for token, own in zip(ids, learnt, strict=True)
    ]
    for kind, group in groupby(zip(kinds, ids, strict=True), key=lambda pair: pair[0]):
        tokens = [token for _, token in group]
        yield Segment(kind, f"<image ×{len(tokens)}>" if kind == "image" else tokenizer.decode(tokens))


def _cut(batch: dict[str, Any], record: Record, task: Generation) -> Iterator[Segment]:
    limit = task.inputs.max_length
    if batch["input_ids"].shape[1] >= limit and task.answered(record):
        whole = uncut(task).collate([record])
        gone = whole["input_ids"].shape[1] - batch["input_ids"].shape[1]
        if gone > 0:
            yield Segment("cut", f"{gone} tokens are cut (max_length {limit})")


def _of_texts(record: Record, task: Task | None) -> Iterator[Segment]:
    for picture in record.images:
        yield Segment("image", _size(picture, task))
    said = said_by(record)
    for text in said.asked:
        yield Segment("prompt", _as_read(text, task))
    for text in said.answers[:5]:
        yield Segment("answer", _as_read(text, task) if record.captions else text)


def _size(picture: Picture, task: Task | None) -> str:
    if task is None:
        return "<image>"
    try:
        _, height, width = task.images.pixels(picture).shape
    except InputError as error:
        return f"<image: {error}>"
    return f"<image {width} × {height}>"


def _as_read(text: str, task: Task | None) -> str:
    """The text of the tokens that a model reads; as it is where there is no model."""
    tokenizer = None if task is None else getattr(task.processor, "tokenizer", None)
    if task is None or tokenizer is None:
        return text
    found = task.tokenize([text])
    return str(tokenizer.decode(found["input_ids"][0][found["attention_mask"][0].bool()]))
