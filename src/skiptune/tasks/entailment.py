"""Visual entailment (SNLI-VE): does the image contradict a hypothesis, leave it open, or entail it?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..data.record import Record
from .classification import Labelled
from .task import TaskSettings


class Entailment(Labelled):
    """Three classes, cross-entropy."""

    name = "entailment"
    unit = "hypotheses"
    choices = ("contradiction", "neutral", "entailment")

    @classmethod
    def from_records(cls, processor: Any, records: Sequence[Record], least: int = 1) -> Entailment:
        """Nothing is learnt from the records."""
        return cls(processor)

    def settings(self) -> TaskSettings:
        return {}
