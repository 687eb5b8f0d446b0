"""Visual entailment (SNLI-VE): does the image contradict a hypothesis, leave it open, or entail it?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..data.record import Record
from .choice import Labelled
from .task import Check, TaskSettings, refuse_unless


class Entailment(Labelled):
    """Three classes, cross-entropy."""

    name = "entailment"
    unit = "hypotheses"
    choices = ("contradiction", "neutral", "entailment")

    @classmethod
    def from_checked(cls, processor: Any, records: Sequence[Record], least: int = 1, **options: Any) -> Entailment:
        """Nothing is learnt from the records."""
        return cls(processor)

    @classmethod
    def checker(cls) -> Check:
        labelled = super().checker()

        def check(record: Record) -> None:
            labelled(record)
            refuse_unless(record.image2 is None, cls.name, "one image")

        return check

    def settings(self) -> TaskSettings:
        return {}
