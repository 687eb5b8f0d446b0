"""What a task is: it turns records into batches with labels, and a model's outputs into measures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ..data.images import ImageStore
from ..data.parts import Data
from ..data.records import Record
from ..errors import InputError
from ..families.registry import family_of_processor
from ..progress import track

_LONGEST_TEXT = 512


@dataclass(frozen=True)
class Evaluation:
    """Measures of a model over ``count`` records, what it said to each, and how good that was.

    Attributes:
        metrics: by name, the task's headline first; each in [0, 1], higher is better.
        loss: mean over the records.
        count: of records.
        unknown: records that could not be right, because their answers are none the model can give.
        predictions: one a record.
        scores: of the predictions, each in [0, 1].
    """

    metrics: dict[str, float]
    loss: float
    count: int
    unknown: int
    predictions: tuple[str, ...]
    scores: tuple[float, ...]

    @property
    def headline(self) -> float:
        """The task's first measure."""
        return next(iter(self.metrics.values()))

    def summary(self) -> dict[str, float | int]:
        """The numbers, for JSON."""
        return {**self.metrics, "loss": self.loss, "count": self.count, "unknown_answers": self.unknown}


class Task(ABC):
    """A task over the records of :mod:`skiptune.data`.

    Args:
        processor: tokenizer and image processor of the family; the latter alone for a task that is only exported.
    """

    name: ClassVar[str]
    #: Name of the measure that a model is judged by.
    metric: ClassVar[str]
    #: What one record is called in reports.
    unit: ClassVar[str]
    #: The power of the number of records by which the time of an evaluation grows.
    growth: ClassVar[int] = 1

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.images = ImageStore(getattr(processor, "image_processor", processor))

    @property
    def head(self) -> str:
        """The name, in the table of families, of the model class that the task needs."""
        return self.name

    @property
    def model_class(self) -> type[PreTrainedModel]:
        """The class with a head for this task, of the family that the processor belongs to."""
        return family_of_processor(self.processor).model_class(self.head)

    @abstractmethod
    def model_changes(self) -> dict[str, Any]:
        """Configuration fields of a model for this task."""

    @classmethod
    @abstractmethod
    def from_records(cls, processor: Any, records: Sequence[Record], least: int = 1) -> Task:
        """The task as training records define it; answers given less than ``least`` times are left out."""

    @classmethod
    def from_data(cls, processor: Any, data: Data, least: int = 1, known: Sequence[str] = (), **options: Any) -> Task:
        """The task as the data of a run define it; ``known`` are the answers that the model's head has already."""
        return cls.from_records(processor, data.train, least, **options)

    @classmethod
    @abstractmethod
    def check(cls, records: Sequence[Record]) -> None:
        """Refuse records that are not of this task.

        Raises:
            InputError: names what they lack.
        """

    def start_head(self, model: nn.Module, records: Sequence[Record]) -> None:  # noqa: B027 - most start well
        """Give a head that has learnt nothing a better start than chance, from the training ``records``. In place."""

    @abstractmethod
    def collate(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """Records to what the model takes, with ``labels``."""

    @abstractmethod
    def measure(self, model: nn.Module, records: Sequence[Record], batch_size: int, title: str) -> Evaluation:
        """Evaluate ``model``, in evaluation mode, as it stands."""

    @abstractmethod
    def answer(self, model: nn.Module, record: Record, top: int) -> list[dict[str, Any]]:
        """What the model says to one record without a known answer, best first."""

    @abstractmethod
    def accepted(self, record: Record) -> list[str]:
        """What would have been right, for reports."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What, beside the processor, it takes to make this task again; JSON values."""

    def tokenize(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """``input_ids`` and ``attention_mask``, ``(texts, tokens)``, padded to the longest and cut at the limit."""
        tokenizer = self.processor.tokenizer
        limit = min(tokenizer.model_max_length, _LONGEST_TEXT)
        found = tokenizer(list(texts), padding=True, truncation=True, max_length=limit, return_tensors="pt")
        return {name: found[name] for name in ("input_ids", "attention_mask")}


class Classification(Task):
    """One choice from a fixed list for every record.

    Args:
        processor: of the model.
        answers: names of the choices, in label order.
    """

    metric = "accuracy"
    unit = "questions"

    def __init__(self, processor: Any, answers: Sequence[str]) -> None:
        if len(answers) < 2 or len(set(answers)) != len(answers):
            raise InputError(f"answers: {len(answers)} given; at least two different ones are needed, none twice")
        super().__init__(processor)
        self.answers = tuple(answers)
        self.numbers = {answer: label for label, answer in enumerate(self.answers)}

    def settings(self) -> dict[str, Any]:
        return {"answers": list(self.answers)}

    def model_changes(self) -> dict[str, Any]:
        return {"num_labels": len(self.answers), "id2label": dict(enumerate(self.answers)), "label2id": self.numbers}

    def collate(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """``input_ids``, ``attention_mask`` (batch, tokens), pixels, and what :meth:`labels` gives."""
        return {**self.inputs(records), "labels": self.labels(records)}

    def pixels(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """``pixel_values`` (batch, 3, height, width) and, if sizes differ, ``pixel_mask`` (batch, height, width)."""
        return self.images.batch([record.image for record in records])

    def inputs(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """What the model takes, without labels."""
        return {**self.tokenize([record.text for record in records]), **self.pixels(records)}

    @abstractmethod
    def labels(self, records: Sequence[Record]) -> Tensor:
        """What the loss compares the logits with."""

    @abstractmethod
    def score(self, record: Record, answer: str) -> float:
        """How right ``answer`` is, in [0, 1]."""

    @abstractmethod
    def probabilities(self, logits: Tensor) -> Tensor:
        """``(batch, answers)`` logits to probabilities."""

    def unknown(self, records: Sequence[Record]) -> int:
        """How many records the model cannot get right, whatever it says."""
        return 0

    def metrics(self, records: Sequence[Record], scores: Sequence[float]) -> dict[str, float]:
        """Measures over all records; the headline is the mean score."""
        return {self.metric: sum(scores) / len(scores)}

    def measure(self, model: nn.Module, records: Sequence[Record], batch_size: int, title: str) -> Evaluation:
        order = sorted(range(len(records)), key=lambda row: len(records[row].text))  # less padding in a batch
        scores, predictions, loss = [0.0] * len(records), [""] * len(records), 0.0
        for start in track(range(0, len(order), batch_size), title):
            rows = order[start : start + batch_size]
            part = [records[row] for row in rows]
            output = model(**on_device(self.collate(part), model))
            loss += float(output.loss) * len(rows)
            for row, record, label in zip(rows, part, output.logits.argmax(1).tolist(), strict=True):
                predictions[row] = self.answers[label]
                scores[row] = self.score(record, self.answers[label])
        count = len(records)
        metrics = self.metrics(records, scores)
        return Evaluation(metrics, loss / count, count, self.unknown(records), tuple(predictions), tuple(scores))

    def answer(self, model: nn.Module, record: Record, top: int) -> list[dict[str, Any]]:
        probabilities = self.probabilities(model(**on_device(self.inputs([record]), model)).logits)[0]
        best = probabilities.topk(min(top, len(self.answers)))
        return [
            {"answer": self.answers[label], "probability": value}
            for value, label in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]


class Labelled(Classification):
    """One right choice a record, its ``label``; cross-entropy."""

    #: Names of the labels, in order.
    choices: ClassVar[tuple[str, ...]]

    def __init__(self, processor: Any) -> None:
        super().__init__(processor, self.choices)

    @classmethod
    def check(cls, records: Sequence[Record]) -> None:
        numbers = range(len(cls.choices))
        allowed = ", ".join(map(str, numbers[:-1])) + f" or {numbers[-1]}"
        refuse_without(records, cls.name, "a text", lambda record: record.text)
        refuse_without(records, cls.name, f"label {allowed}", lambda record: record.label in numbers)

    def labels(self, records: Sequence[Record]) -> Tensor:
        """Class numbers ``(batch,)``."""
        return torch.tensor([record.label for record in records], dtype=torch.long)

    def score(self, record: Record, answer: str) -> float:
        return float(record.label == self.numbers[answer])

    def accepted(self, record: Record) -> list[str]:
        return [] if record.label is None else [self.answers[record.label]]

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.softmax(-1)


def on_device(batch: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """The batch where the model is; one without parameters is on the CPU."""
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    return {name: value.to(device) for name, value in batch.items()}


def refuse_without(records: Sequence[Record], task: str, what: str, has: Any) -> None:
    """Refuse records that lack something a task needs; looks at the first ones.

    Raises:
        InputError: names the task and the field.
    """
    for number in range(min(len(records), 100)):
        if not has(records[number]):
            raise InputError(f"task {task!r} needs records with {what}; record {number + 1} has none")
