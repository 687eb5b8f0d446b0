"""Tasks with a fixed list of answers, one of which is chosen for every record."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..core.errors import InputError
from ..data.record import Record
from .answer import Answer
from .evaluation_result import Evaluation
from .one_text import OneTextTask
from .priors import answer_priors
from .task import Check, ConfigFields, TaskSettings, on_device, refuse_unless


class Choice(OneTextTask):
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
        found = self.outputs(model, records, batch_size, title, lambda logits: logits.argmax(1).tolist())
        predictions = [self.answers[label] for label in found.kept]
        scores: list[float | None] = [None] * len(records)
        for row in found.known:
            scores[row] = self.score(records[row], predictions[row])
        measured = [records[row] for row in found.known]
        metrics = self.metrics(measured, [score for score in scores if score is not None]) if measured else {}
        return Evaluation(
            metrics,
            found.loss,
            len(measured),
            self.unknown(measured),
            tuple(predictions),
            tuple(scores),
            unanswered=len(records) - len(measured),
        )

    def priors(self, train: Sequence[Record], records: Sequence[Record]) -> dict[str, tuple[float, ...]]:
        """The most frequent answer, over all texts and by text, see :func:`skiptune.tasks.priors.answer_priors`."""
        measured = [record for record in records if self.answered(record)]
        return answer_priors(train, measured, self.accepted_scores, self.score)

    def accepted_scores(self, record: Record) -> dict[str, float]:
        """The right answers that the model can give, with their scores."""
        return {answer: 1.0 for answer in self.accepted(record) if answer in self.numbers}

    def best_answers(self, model: nn.Module, records: Sequence[Record], top: int) -> list[tuple[Answer, ...]]:
        probabilities = self.probabilities(model(**on_device(self.inputs(records), model)).logits)
        best = probabilities.topk(min(top, len(self.answers)))
        return [
            tuple(Answer(self.answers[label], probability=value) for value, label in zip(*row, strict=True))
            for row in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]


class Labelled(Choice):
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
        return [self.answers[record.label]] if isinstance(record.label, int) else []

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.softmax(-1)
