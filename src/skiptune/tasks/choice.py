"""Tasks with a fixed list of answers, one of which is chosen for every record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ..core.errors import InputError
from ..data.record import Record
from .activation import Activation, activated
from .answer import Answer
from .priors import answer_priors
from .scored import ScoredTask
from .task import Check, ConfigFields, on_device, refuse_unless
from .task_settings import TaskSettings


class Choice(ScoredTask):
    """One choice from a fixed list for every record.

    Args:
        processor: of the model.
        answers: names of the choices, in label order.
    """

    metric = "accuracy"
    unit = "questions"

    def __init__(self, processor: Any, answers: Sequence[str]) -> None:
        if isinstance(answers, str):
            raise InputError(f"answers: {answers!r} is one text; expected a list of answers")
        if len(answers) < 2 or len(set(answers)) != len(answers):
            raise InputError(f"answers: {len(answers)} given; at least two different ones are needed, none twice")
        super().__init__(processor)
        self.answers = tuple(answers)
        self.numbers = {answer: label for label, answer in enumerate(self.answers)}

    def settings(self) -> TaskSettings:
        return {"answers": list(self.answers)}

    def model_changes(self) -> ConfigFields:
        return {"num_labels": len(self.answers), "id2label": dict(enumerate(self.answers)), "label2id": self.numbers}

    def probabilities(self, logits: Tensor) -> Tensor:
        """``(batch, answers)`` logits to probabilities."""
        return activated(logits, self.activation)

    def predictions(self, logits: Tensor) -> list[str]:
        """The answer with the highest logit."""
        return [self.answers[label] for label in logits.argmax(1).tolist()]

    def priors(self, train: Sequence[Record], records: Sequence[Record]) -> dict[str, tuple[float, ...]]:
        """The most frequent answer, over all texts and by text, see :func:`skiptune.tasks.priors.answer_priors`."""
        measured = [record for record in records if self.answered(record)]
        return answer_priors(train, measured, self.accepted_scores, self.score)

    def accepted_scores(self, record: Record) -> dict[str, float]:
        """The right answers that the model can give, with their scores."""
        return {answer: 1.0 for answer in self.accepted(record) if answer in self.numbers}

    def answers_to(
        self, model: nn.Module, records: Sequence[Record], inputs: dict[str, Tensor], top: int
    ) -> list[tuple[Answer, ...]]:
        probabilities = self.probabilities(model(**on_device(inputs, model)).logits)
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

    def asked_check(self) -> Check:
        whole = super().asked_check()

        def check(record: Record) -> None:
            whole(record if record.label is not None else replace(record, label=0))  # as if it had one

        return check

    def labels(self, records: Sequence[Record]) -> Tensor:
        """Class numbers ``(batch,)``."""
        return torch.tensor([record.label for record in records], dtype=torch.long)

    def score(self, record: Record, prediction: str | float) -> float:
        return float(record.label == self.numbers[str(prediction)])

    def accepted(self, record: Record) -> list[str]:
        return [self.answers[record.label]] if isinstance(record.label, int) else []

    @property
    def activation(self) -> Activation:
        return "softmax"
