"""Encode the texts and images of retrieval once each, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from ..data.record import Record
from ..families.head_inputs import Encoded
from .task import Task, on_device

#: Bytes of encoded texts that an evaluation holds at a time.
_KEPT = 2**30


def encoded_texts(task: Task, model: Any, texts: Sequence[str], size: int) -> Iterator[list[tuple[slice, Encoded]]]:
    """Encoded batches of ``size`` texts with their places in ``texts``, as many at a time as are held."""
    kept: list[tuple[slice, Encoded]] = []
    held = 0
    for start in range(0, len(texts), size):
        place = slice(start, min(start + size, len(texts)))
        encoded = model.encode_texts(**on_device(task.tokenize(texts[place]), model))
        kept.append((place, encoded))
        held += sum(tensor.nbytes for tensor in encoded)
        if held >= _KEPT:
            yield kept
            kept, held = [], 0
    if kept:
        yield kept


def all_texts(task: Task, model: Any, texts: Sequence[str], size: int) -> Encoded:
    """All texts, encoded in batches of ``size``, for outputs of one shape."""
    return _joined([encoded for kept in encoded_texts(task, model, texts, size) for _, encoded in kept])


def encoded_images(task: Task, model: Any, records: Sequence[Record], size: int) -> Encoded:
    """The images of all records, encoded in batches of ``size``."""
    pixels = (task.images.of(part) for part in parts_of(records, size))
    return _joined([model.encode_images(**on_device(batch, model)) for batch in pixels])


def parts_of(records: Sequence[Record], size: int) -> Iterator[list[Record]]:
    """``size`` records at a time."""
    for start in range(0, len(records), size):
        yield [records[row] for row in range(start, min(start + size, len(records)))]


def rows_of(encoded: Encoded, rows: np.ndarray) -> Encoded:
    """These rows of encoder outputs."""
    return tuple(part[torch.from_numpy(rows).to(part.device)] for part in encoded)


def _joined(parts: Sequence[Encoded]) -> Encoded:
    return tuple(torch.cat(tensors) for tensors in zip(*parts, strict=True))
