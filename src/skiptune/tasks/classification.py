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
        """Number of records whose answers are known, but not among the model's."""
        return 0

    def metrics(self, records: Sequence[Record], scores: Sequence[float]) -> dict[str, float]:
        """Measures over all records; the headline is the mean score."""
        return {self.metric: sum(scores) / len(scores)}

    def measure(self, model: nn.Module, records: Sequence[Record], batch_size: int, title: str) -> Evaluation:
        order = sorted(range(len(records)), key=lambda row: len(records[row].text))  # less padding in a batch
        answered = [self.answered(record) for record in records]
        known, rest = ([row for row in order if answered[row] == wanted] for wanted in (True, False))
        parts = ((part, start) for part in (known, rest) for start in range(0, len(part), batch_size))
        batches = [part[start : start + batch_size] for part, start in parts]
        predictions, loss = [""] * len(records), 0.0
        for rows in track(batches, title):
            output = model(**on_device(self.collate([records[row] for row in rows]), model))
            loss += float(output.loss) * len(rows) if answered[rows[0]] else 0.0
            for row, label in zip(rows, output.logits.argmax(1).tolist(), strict=True):
                predictions[row] = self.answers[label]
        scores = [
            self.score(record, answer) if found else None
            for record, answer, found in zip(records, predictions, answered, strict=True)
        ]
        measured = [records[row] for row in sorted(known)]
        metrics = self.metrics(measured, [score for score in scores if score is not None]) if known else {}
        return Evaluation(
            metrics,
            loss / len(known) if known else None,
            len(known),
            self.unknown(measured),
            tuple(predictions),
            tuple(scores),
            unanswered=len(rest),
        )

    def best_answers(self, model: nn.Module, records: Sequence[Record], top: int) -> list[tuple[Answer, ...]]:
        probabilities = self.probabilities(model(**on_device(self.inputs(records), model)).logits)
        best = probabilities.topk(min(top, len(self.answers)))
        return [
            tuple(Answer(self.answers[label], probability=value) for value, label in zip(*row, strict=True))
            for row in zip(best.values.tolist(), best.indices.tolist(), strict=True)
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
