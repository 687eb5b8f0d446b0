"""Visual entailment (SNLI-VE): does the image contradict a hypothesis, leave it open, or entail it?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ..data.records import Record
from .base import Classification, labels_of, refuse_without

CHOICES = ("contradiction", "neutral", "entailment")


class Entailment(Classification):
    """Three classes, cross-entropy."""

    name = "entailment"
    unit = "hypotheses"

    def __init__(self, processor: Any) -> None:
        super().__init__(processor, CHOICES)

    @classmethod
    def from_records(cls, processor: Any, records: Sequence[Record], least: int = 1) -> Entailment:
        """Nothing is learnt from the records."""
        return cls(processor)

    def settings(self) -> dict[str, Any]:
        return {}

    @classmethod
    def check(cls, records: Sequence[Record]) -> None:
        refuse_without(records, cls.name, "a text", lambda record: record.text)
        refuse_without(records, cls.name, "label 0, 1 or 2", lambda record: record.label in (0, 1, 2))

    def labels(self, records: Sequence[Record]) -> Tensor:
        return labels_of(records)

    def score(self, record: Record, answer: str) -> float:
        return float(record.label == self.numbers[answer])

    def accepted(self, record: Record) -> list[str]:
        return [] if record.label is None else [self.answers[record.label]]

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.softmax(-1)
