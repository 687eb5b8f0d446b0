"""The weight of a part of a batch in the loss of the whole.

A Trainer's loss is a mean: over rows, or over the tokens of answers, where labels are tokens and all others are -100.
The parts of a batch have the loss of the whole if each counts as much as it has of these. So long answers count for
more, as in the training and in ``trainer.evaluate()``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from transformers import Trainer

from ..training.label_counts import labelled_tokens


def weight_of(batch: Mapping[str, Any], rows: int, trainer: Trainer) -> float:
    """The number of a batch's labelled tokens if its labels are tokens, ``(rows, tokens)``, else its rows."""
    tokens = labelled_tokens(batch, getattr(trainer, "_loss_shifts_labels", True))
    return float(rows if tokens is None else tokens)


def weighted_mean(values: Sequence[float], weights: Sequence[float]) -> float:
    """The mean of values with weights; one of weight zero may be anything, the loss of no tokens is not a number."""
    whole = math.fsum(weights)
    return sum(weight / whole * value for value, weight in zip(values, weights, strict=True) if weight)


@contextmanager
def own_mean(trainer: Trainer) -> Iterator[None]:
    """Context in which the losses of one process are means over its own tokens, not its part of those of all."""
    args, before = trainer.args, trainer.args.average_tokens_across_devices
    args.average_tokens_across_devices = False
    try:
        yield
    finally:
        args.average_tokens_across_devices = before
