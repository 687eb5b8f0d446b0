"""Rules that answer without an image: what a model must beat to have seen anything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from ..data.record import Record

#: An answer, or a set of labels.
A = TypeVar("A", bound=Hashable)


def answer_priors(
    train: Sequence[Record],
    records: Sequence[Record],
    accepted: Callable[[Record], Mapping[A, float]],
    score: Callable[[Record, A], float],
) -> dict[str, tuple[float, ...]]:
    """Scores of ``most_frequent``, always the best answer over all of training, and of ``text_alone``, the best answer
    to the same text there; a text that training does not have gets the former. The latter is left out where training
    has one text only.

    Args:
        train: training records.
        records: to measure on.
        accepted: the answers that the model can give and that are right for a record, with their scores.
        score: of an answer to a record.
    """
    whole: dict[A, float] = defaultdict(float)
    by_text: dict[str, dict[A, float]] = defaultdict(lambda: defaultdict(float))
    for record in train:
        own = by_text[plain_text(record.question)]
        for answer, value in accepted(record).items():
            whole[answer] += value
            own[answer] += value
    if not whole or not records:
        return {}
    usual = _best(whole)
    known = {text: _best(counts) for text, counts in by_text.items() if counts}
    priors = {"most_frequent": tuple(score(record, usual) for record in records)}
    if len(known) > 1:
        priors["text_alone"] = tuple(score(record, known.get(plain_text(record.question), usual)) for record in records)
    return priors


def number_priors(train: Sequence[Record], records: Sequence[Record]) -> dict[str, np.ndarray]:
    """The numbers ``(records,)`` of ``mean_value``, the mean of training, and of ``text_alone``, the mean of the same
    text there, left out as in :func:`answer_priors`. All records have a value."""
    by_text: dict[str, list[float]] = defaultdict(list)
    for record in train:
        if record.value is not None:
            by_text[plain_text(record.text)].append(record.value)
    usual = float(np.mean([value for values in by_text.values() for value in values]))
    known = {text: float(np.mean(values)) for text, values in by_text.items()}
    priors = {"mean_value": np.full(len(records), usual)}
    if len(known) > 1:
        priors["text_alone"] = np.array([known.get(plain_text(record.text), usual) for record in records])
    return priors


def _best(counts: Mapping[A, float]) -> A:
    """The answer of the highest score, the first by the alphabet among equals."""
    return min(counts, key=lambda answer: (-counts[answer], str(answer)))


def plain_text(text: str) -> str:
    """A text without what does not tell questions apart: case, white space, the mark at its end."""
    return " ".join(text.lower().rstrip(" ?.").split())
