"""Rows of tasks with one text and one or two images through the model's processor."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.errors import InputError
from ..core.progress import track
from ..data.record import Record
from ..data.splits import resolved
from ..tasks.task import Task
from .checked_part import CheckedPart
from .finding import Findings
from .model_view import Counted, ModelView
from .picture_checks import Pictures
from .said import shortened

_BATCH = 256
#: Kinds of findings that are of the rows that went through the processor.
KINDS = ("images_lost", "refused", "cut_text")


class InputCheck:
    """Puts the texts and images of a task other than generation through a model's processor.

    Args:
        task: with the model's processor.
        pictures: which were looked at.
    """

    def __init__(self, task: Task, pictures: Pictures) -> None:
        self.task, self.pictures = task, pictures
        self._resized: set[object] = set()

    def look_at(self, part: CheckedPart, findings: Findings) -> ModelView:
        """Count what reaches the model, and tell what does not."""
        counted, limit = Counted(), 0
        rows = [(place, record) for place, record in part.placed() if self.pictures.fine(record.images)]
        for at in track(range(0, len(rows), _BATCH), "processor"):
            batch = rows[at : at + _BATCH]
            limit = max(limit, self._texts(part.name, batch, counted, findings))
            for place, record in batch:
                self._images(part.name, place, record, counted, findings)
        findings.looked_at(KINDS, part.name, len(rows))
        return counted.finish(limit or None)

    def _texts(self, part: str, rows: Sequence[tuple[str, Record]], counted: Counted, findings: Findings) -> int:
        """Tokens of the texts; returns how many there may be."""
        texts = [(place, text) for place, record in rows for text in (*record.captions, record.text) if text]
        if not texts or getattr(self.task.processor, "tokenizer", None) is None:
            return 0
        whole = self.task.processor.tokenizer([text for _, text in texts], verbose=False)["input_ids"]
        cut = self.task.tokenize([text for _, text in texts])["input_ids"].shape[1]
        for (place, text), ids in zip(texts, whole, strict=True):
            counted.tokens.append(len(ids))
            if len(ids) > cut:
                findings.add("cut_text", part, place, f"{len(ids)} tokens, {cut} are read: {shortened(text)!r}")
        return self.task.text_limit

    def _images(self, part: str, place: str, record: Record, counted: Counted, findings: Findings) -> None:
        counted.rows += 1
        counted.images += len(record.images)
        counted.placeholders += len(record.images)
        for picture in record.images:
            known = resolved(picture)
            try:
                if known not in self._resized:
                    self.task.images.pixels(picture)
                    self._resized.add(known)
                counted.reached += 1
            except InputError as error:
                findings.add("images_lost", part, place, str(error))
