"""Tasks with a fixed list of answers, one of which is chosen for every record."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..core.errors import InputError
from ..core.progress import track
from ..data.record import Record
from .answer import Answer
from .task import Check, ConfigFields, Evaluation, Task, TaskSettings, on_device, refuse_unless


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

    def settings(self) -> TaskSettings:
        return {"answers": list(self.answers)}

    def model_changes(self) -> ConfigFields:
        return {"num_labels": len(self.answers), "id2label": dict(enumerate(self.answers)), "label2id": self.numbers}

    def collate(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """``input_ids``, ``attention_mask`` (batch, tokens), pixels, and :meth:`labels`."""
        return {**self.inputs(records), "labels": self.labels(records)}

    def pixels(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """``pixel_values`` (batch, 3, height, width) and, if sizes differ, ``pixel_mask`` (batch, height, width)."""
        return self.images.of(records)

    def inputs(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """The model's inputs, without labels."""
        return {**self.tokenize([record.text for record in records]), **self.pixels(records)}

    @abstractmethod
    def labels(self, records: Sequence[Record]) -> Tensor:
        """The targets of the loss."""

    @abstractmethod
    def score(self, record: Record, answer: str) -> float:
        """The score of ``answer``, in [0, 1]."""

    @abstractmethod
    def probabilities(self, logits: Tensor) -> Tensor:
        """``(batch, answers)`` logits to probabilities."""

    def unknown(self, records: Sequence[Record]) -> int:
        """Number of records whose answers are not among the model's."""
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

    def answer(self, model: nn.Module, record: Record, top: int) -> list[Answer]:
        probabilities = self.probabilities(model(**on_device(self.inputs([record]), model)).logits)[0]
        best = probabilities.topk(min(top, len(self.answers)))
        return [
            {"answer": self.answers[label], "probability": value}
            for value, label in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]


class Labelled(Classification):
    """One right choice per record, its ``label``; cross-entropy."""

    def __init__(self, processor: Any) -> None:
        super().__init__(processor, self.choices)

    @classmethod
    def checker(cls) -> Check:
        numbers = range(len(cls.choices))
        allowed = ", ".join(map(str, numbers[:-1])) + f" or {numbers[-1]}"

        def check(record: Record) -> None:
            refuse_unless(record.text.strip(), cls.name, "a text")
            refuse_unless(record.label in numbers, cls.name, f"label {allowed}")

        return check

    def labels(self, records: Sequence[Record]) -> Tensor:
        """Class numbers ``(batch,)``."""
        return torch.tensor([record.label for record in records], dtype=torch.long)

    def score(self, record: Record, answer: str) -> float:
        return float(record.label == self.numbers[answer])

    def accepted(self, record: Record) -> list[str]:
        return [] if record.label is None else [self.answers[record.label]]

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.softmax(-1)
