"""Tasks whose model gives one row of logits for the text and the image, or images, of a record."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from ..core.progress import track
from ..data.record import Record
from ..families.registry import family_of_processor
from .task import ConfigFields, Task, on_device
from .task_settings import TaskSettings

T = TypeVar("T")


@dataclass(frozen=True)
class Outputs(Generic[T]):
    """What a model gives for records.

    Attributes:
        kept: what was kept of each record's logits, in the order of the records.
        known: the rows of records whose answers are known, ascending.
        loss: mean over those; ``None`` if there are none.
    """

    kept: list[T]
    known: list[int]
    loss: float | None


class OneTextTask(Task):
    """A task with a text (perhaps an empty one) and an image for every record.

    Attributes:
        text: whether the model reads texts; if not, it has no part that does.
    """

    text: bool = True

    def text_settings(self) -> TaskSettings:
        """The part of :meth:`settings` about texts."""
        return {} if self.text else {"text": False}

    def text_changes(self) -> ConfigFields:
        """The part of :meth:`model_changes` about texts."""
        return {} if self.text else {"reads_text": False}

    def collate(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """``input_ids``, ``attention_mask`` (batch, tokens), pixels, and :meth:`labels`."""
        return {**self.inputs(records), "labels": self.labels(records)}

    def pixels(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """``pixel_values`` (batch, 3, height, width) and, if sizes differ, ``pixel_mask`` (batch, height, width)."""
        return self.images.of(records)

    def inputs(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """The model's inputs, without labels."""
        return {**self.tokenize([record.text for record in records]), **self.pixels(records)}

    def prepare(self, records: Sequence[Record]) -> dict[str, Tensor]:
        return self.inputs(records)

    @abstractmethod
    def labels(self, records: Sequence[Record]) -> Tensor:
        """The targets of the loss, ``(batch, …)``."""

    def outputs(
        self,
        model: nn.Module,
        records: Sequence[Record],
        batch_size: int,
        title: str,
        keep: Callable[[Tensor], Sequence[T]],
    ) -> Outputs[T]:
        """Run the model on all records, those of about equal text length together.

        Args:
            model: in evaluation mode.
            records: of the task.
            batch_size: records in a batch.
            title: of the progress bar.
            keep: takes a batch's logits ``(batch, labels)``, and gives what to keep of each row.
        """
        order = sorted(range(len(records)), key=lambda row: len(records[row].text))  # less padding in a batch
        answered = [self.answered(record) for record in records]
        known, rest = ([row for row in order if answered[row] == wanted] for wanted in (True, False))
        parts = ((part, start) for part in (known, rest) for start in range(0, len(part), batch_size))
        kept: dict[int, T] = {}
        loss = 0.0
        for rows in track([part[start : start + batch_size] for part, start in parts], title):
            output = model(**on_device(self.collate([records[row] for row in rows]), model))
            loss += float(output.loss) * len(rows) if answered[rows[0]] else 0.0
            kept.update(zip(rows, keep(output.logits), strict=True))
        mean = loss / len(known) if known else None
        return Outputs([kept[row] for row in range(len(records))], sorted(known), mean)


def text_options(task: type[Task], processor: Any, records: Sequence[Record]) -> dict[str, bool]:
    """``text=False`` where no record has a text and the family has a model of images alone (CLIP, SigLIP)."""
    model_class = family_of_processor(processor).model_classes.get(task.name)
    alone = getattr(model_class, "takes_images_alone", False) and not any(record.text.strip() for record in records)
    return {"text": False} if alone else {}
