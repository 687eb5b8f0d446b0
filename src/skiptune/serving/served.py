"""A model of a service."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from ..answering.opened import Opened
from ..data.record import Record
from ..exporting.exported import read_exported
from ..exporting.manifest import SkippedBlocks
from ..predicting.predict import predict
from ..predicting.results import Prediction
from ..tasks.generation.task import Generation
from ..tasks.task import Task
from .prepared import Prepared
from .told import ToldModel

_WARM = 48  # pixels a side


@dataclass(frozen=True)
class Served:
    """A model that answers batches of questions."""

    opened: Opened

    @property
    def task(self) -> Task:
        """Of the model."""
        return self.opened.pipeline.task

    def told(self) -> ToldModel:
        """What it is."""
        task, plan = self.task, self._plan()
        answers = task.settings().get("answers") or task.choices
        return ToldModel(
            name=self.opened.name,
            task=task.name,
            answers=len(answers) or None,
            pictures=None if isinstance(task, Generation) else task.number,
            needs_text=task.needs_text,
            writes=isinstance(task, Generation),
            base=self.opened.base,
            blocks=len(plan.blocks),
            skipped=plan.skipped,
            tokens=None if plan.tokens is None else str(plan.tokens),
        )

    def answer(self, questions: Sequence[Prepared]) -> list[Prediction]:
        """The answers to a batch of questions of one decoding, in their order."""
        task = copy.copy(self.task)
        task.images = task.images.holding({held: pixels for each in questions for held, pixels in each.pixels.items()})
        if questions[0].decoding and isinstance(task, Generation):
            task = task.with_decoding(**dict(questions[0].decoding))
        records, top = [each.record for each in questions], max(each.top for each in questions)
        found = predict(self.opened.pipeline.model, task, records, top=top, batch_size=len(records))
        return [Prediction(each.answers[: asked.top], each.error) for each, asked in zip(found, questions, strict=True)]

    def warm(self) -> None:
        """Answer a question about nothing: the first one takes longer than others."""
        task = self.task.with_decoding(max_new_tokens=1) if isinstance(self.task, Generation) else self.task
        blank = Image.new("RGB", (_WARM, _WARM))
        asked = Record(blank, "?", image2=blank if task.number == 2 else None)
        predict(self.opened.pipeline.model, task, [asked])

    def _plan(self) -> SkippedBlocks:
        return read_exported(self.opened.folder).plan
