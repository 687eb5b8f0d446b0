"""Visual entailment (SNLI-VE): does the image contradict a hypothesis, leave it open, or entail it?"""

from __future__ import annotations

from ..data.record import Record
from .choice import Labelled
from .task import Check, refuse_unless
from .task_settings import TaskSettings


class Entailment(Labelled):
    """Three classes, cross-entropy."""

    name = "entailment"
    unit = "hypotheses"
    choices = ("contradiction", "neutral", "entailment")

    @classmethod
    def checker(cls) -> Check:
        labelled = super().checker()

        def check(record: Record) -> None:
            labelled(record)
            refuse_unless(record.image2 is None, cls.name, "one image")

        return check

    def settings(self) -> TaskSettings:
        return {}
