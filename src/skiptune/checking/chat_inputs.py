"""Rows of generation through the model's processor, as training would see them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor

from ..core.errors import first_line
from ..core.ignored_label import IGNORED
from ..core.progress import track
from ..data.record import Record
from ..tasks.generation.task import Generation
from .checked_part import CheckedPart
from .finding import Findings
from .image_counts import ImageCounts, units
from .model_view import Counted, ModelView
from .picture_checks import Pictures
from .uncut import uncut

_BATCH = 16
#: Kinds of findings that are of the rows that went through the processor.
KINDS = ("images_lost", "template", "refused", "lost_answer", "truncated_answer", "cut_text")
#: A record and its place.
PlacedRecord: TypeAlias = tuple[str, Record]


@dataclass(frozen=True)
class RowInputs:
    """A row of a batch, without padding.

    Attributes:
        ids: of its tokens.
        labels: those that are learnt, :data:`IGNORED` elsewhere.
        units: of the pixels of the batch, where the row is alone in it; ``None``: they are as many as they should be.
    """

    ids: Tensor
    labels: Tensor
    units: int | None = None

    @property
    def learnt(self) -> int:
        """Tokens of answers."""
        return int((self.labels != IGNORED).sum())


class ChatCheck:
    """Puts conversations through a model's processor.

    Args:
        task: with the model's processor and the settings of the training.
        pictures: which were looked at.
    """

    def __init__(self, task: Generation, pictures: Pictures) -> None:
        self.task, self.pictures = task, pictures
        self.uncut = uncut(task)
        self.images = ImageCounts(self.uncut)

    def look_at(self, part: CheckedPart, findings: Findings) -> ModelView:
        """Count what reaches the model, and tell what does not."""
        counted = Counted()
        rows = [row for row in part.placed() if self.usable(row[1])]
        for at in track(range(0, len(rows), _BATCH), "processor"):
            for (place, record), row in self._inputs(part.name, rows[at : at + _BATCH], findings):
                counted.rows += 1
                counted.images += len(record.images)
                counted.placeholders += sum(turn.images for turn in self.task.turns(record))
                if row is not None:
                    self._count(part.name, (place, record), row, counted, findings)
        findings.looked_at(KINDS, part.name, len(rows))
        return counted.finish(self.task.inputs.max_length)

    def usable(self, record: Record) -> bool:
        """Whether the record can be learnt from; what is wrong with others is told elsewhere."""
        return self.task.answered(record) and self.pictures.fine(record.images)

    def _inputs(
        self, part: str, rows: Sequence[PlacedRecord], findings: Findings
    ) -> Iterator[tuple[PlacedRecord, RowInputs | None]]:
        """The rows' inputs, one by one where pixels are missing or some are refused; ``None``: this one is."""
        try:
            batch = self.uncut.collate([record for _, record in rows])
        except Exception as error:  # processors raise many kinds of exceptions
            if len(rows) == 1:
                told = first_line(error)
                findings.add(_kind_of(told), part, rows[0][0], told)
                yield rows[0], None
                return
            batch = {}
        alone = len(rows) == 1
        if not alone and (not batch or units(batch) != sum(self._expected(record)[1] for _, record in rows)):
            for row in rows:
                yield from self._inputs(part, [row], findings)
            return
        for number, row in enumerate(rows):
            real = batch["attention_mask"][number].bool()
            pixels = units(batch) if alone else None
            yield row, RowInputs(batch["input_ids"][number][real], batch["labels"][number][real], pixels)

    def _expected(self, record: Record) -> tuple[int, int]:
        pictures = record.images
        if not pictures:
            return 0, 0
        return self.images.expected(pictures, [self.pictures.size(picture) for picture in pictures])

    def _count(self, part: str, placed: PlacedRecord, row: RowInputs, counted: Counted, findings: Findings) -> None:
        place, record = placed
        images, tokens = len(record.images), self.images.tokens(row.ids)
        counted.tokens.append(len(row.ids))
        counted.answers.append(row.learnt)
        reached = self._reached(record, row, tokens)
        counted.reached += reached
        counted.of_images += [round(tokens / images)] * images if images and self.images.token is not None else []
        if reached < images:
            findings.add("images_lost", part, place, f"{reached} of {images} images are in the model's inputs")
        if not row.learnt:
            findings.add("template", part, place, "no token of its answer is learnt")
        elif len(row.ids) > self.task.inputs.max_length:
            self._tell_of_the_cut(part, placed, row, findings)

    def _reached(self, record: Record, row: RowInputs, tokens: int) -> int:
        """How many images of a row are in its inputs, by image tokens and pixels."""
        images = len(record.images)
        if not images:
            return 0
        due, pixels = self._expected(record)
        reached = images
        for found, wanted in ((tokens, due), (row.units, pixels)):
            if found is not None and found < wanted:
                reached = min(reached, images * found // wanted)
        return reached if tokens or self.images.token is None else 0

    def _tell_of_the_cut(self, part: str, row: PlacedRecord, inputs: RowInputs, findings: Findings) -> None:
        place, record = row
        limit = self.task.inputs.max_length
        try:
            left = int((self.task.collate([record])["labels"] != IGNORED).sum())
        except Exception as error:  # as above
            findings.add("lost_answer", part, place, first_line(error))
            return
        told = (
            f"{len(inputs.ids):,} tokens, max_length {limit:,}: {left} of the answers' {inputs.learnt} tokens are left"
        )
        if left < inputs.learnt:
            findings.add("truncated_answer" if left else "lost_answer", part, place, told)
        else:
            findings.add("cut_text", part, place, f"{len(inputs.ids):,} tokens, max_length {limit:,}")


def _kind_of(message: str) -> str:
    if re.search(r"places for \d+ images|number of images|images? (do|does) not match", message):
        return "images_lost"
    if "which stands for an image" in message:
        return "literal_placeholder"
    return "template" if message.startswith("chat template") or "cannot be found" in message else "refused"
