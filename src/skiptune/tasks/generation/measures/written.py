"""The measures of written answers by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ....data.record import Record
from .anls import anls
from .exact_match import exact_match
from .relaxed_accuracy import has_number, relaxed_accuracy
from .vqa_accuracy import has_soft_scores, vqa_accuracy


@dataclass(frozen=True)
class WrittenMeasure:
    """A measure of a written answer.

    Attributes:
        score: of an answer to a record, in [0, 1].
        fits: whether it says something of a record that the others do not.
    """

    score: Callable[[str, Record], float]
    fits: Callable[[Record], bool]


def _short(record: Record) -> bool:
    return not record.captions


WRITTEN: dict[str, WrittenMeasure] = {
    "exact_match": WrittenMeasure(exact_match, _short),
    "vqa_accuracy": WrittenMeasure(vqa_accuracy, has_soft_scores),
    "anls": WrittenMeasure(anls, _short),
    "relaxed_accuracy": WrittenMeasure(relaxed_accuracy, has_number),
}


def measures_of(records: Sequence[Record], first: str) -> dict[str, WrittenMeasure]:
    """The measures to state of answers to ``records``: ``first``, and those that say something of one of them."""
    fitting = {name: found for name, found in WRITTEN.items() if any(map(found.fits, records))}
    return {first: WRITTEN[first], **fitting}
