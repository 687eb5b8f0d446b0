"""Regression: a number for an image, with or without a text.

The model learns standardised numbers, ``(value - mean) / deviation`` of the training's, by their squared error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..core.errors import InputError
from ..data.record import Record
from .answer import Answer
from .evaluation_result import Evaluation
from .one_text import OneTextTask, text_options
from .priors import number_priors
from .task import Check, ConfigFields, on_device, refuse_unless
from .task_settings import TaskSettings


class Regression(OneTextTask):
    """A number for every record, its ``value``.

    The headline is R², the share of the values' variance that the predictions explain; 0 where they are worse than the
    mean of the measured values. ``mae`` and ``rmse``, the mean absolute and the root of the mean squared error, are in
    the unit of the values. The score of a prediction is 1 where it is exact, and falls linearly to 0 at an error of one
    ``deviation``.

    Args:
        processor: of the model.
        mean: of the values in training, which is taken from them.
        deviation: their standard deviation, by which they are divided.
        text: whether the model reads texts; only CLIP and SigLIP have models of images alone.

    Raises:
        InputError: ``deviation`` is not above 0, or one of them is not finite.
    """

    name = "regression"
    metric = "r2"
    unit = "examples"
    needs_text = False

    def __init__(self, processor: Any, mean: float = 0.0, deviation: float = 1.0, text: bool = True) -> None:
        if not np.isfinite(mean) or not (np.isfinite(deviation) and deviation > 0):
            raise InputError(f"mean: {mean}, deviation: {deviation}; expected finite numbers, the second one above 0")
        super().__init__(processor)
        self.mean, self.deviation, self.text = float(mean), float(deviation), text

    @classmethod
    def from_checked(cls, processor: Any, records: Sequence[Record], least: int = 1, **options: Any) -> Regression:
        """Mean and standard deviation of the records' values.

        Raises:
            InputError: fewer than two different values.
        """
        values = np.array([record.value for record in records if record.value is not None], dtype=np.float64)
        if len(np.unique(values)) < 2:
            raise InputError(f"value: {len(values)} records have one, and no two differ; there is nothing to learn")
        with np.errstate(over="ignore"):
            options = {**text_options(cls, processor, records), **options}
            return cls(processor, float(values.mean()), float(values.std()), **options)

    def settings(self) -> TaskSettings:
        return {"mean": self.mean, "deviation": self.deviation, **self.text_settings()}

    def model_changes(self) -> ConfigFields:
        return {"num_labels": 1, "problem_type": "regression", **self.text_changes()}

    @classmethod
    def checker(cls) -> Check:
        def check(record: Record) -> None:
            answers = record.answers or record.captions or record.labels is not None or record.label is not None
            refuse_unless(not answers, cls.name, "a value, not labels, answers or captions")
            refuse_unless(record.image2 is None, cls.name, "one image")

        return check

    @classmethod
    def answered(cls, record: Record) -> bool:
        return record.value is not None

    def labels(self, records: Sequence[Record]) -> Tensor:
        """Standardised values ``(batch,)``; 0 where none is known."""
        values = [self.mean if record.value is None else record.value for record in records]
        return torch.tensor((np.array(values) - self.mean) / self.deviation, dtype=torch.float32)

    def measure(self, model: nn.Module, records: Sequence[Record], batch_size: int, title: str) -> Evaluation:
        found = self.outputs(model, records, batch_size, title, lambda logits: logits[:, 0].double().tolist())
        values = [self.mean + self.deviation * output for output in found.kept]
        predicted = np.array([values[row] for row in found.known])
        right = np.array([records[row].value for row in found.known], dtype=np.float64)
        scores: list[float | None] = [None] * len(records)
        for row, error in zip(found.known, np.abs(predicted - right), strict=True):
            scores[row] = max(0.0, 1.0 - float(error) / self.deviation)
        return Evaluation(
            {self.metric: _explained(predicted, right)} if found.known else {},
            found.loss,
            len(found.known),
            0,
            tuple(map(_shown, values)),
            tuple(scores),
            unanswered=len(records) - len(found.known),
            errors=_errors(predicted - right) if found.known else {},
            terms=_terms(predicted, right),
        )

    def priors(self, train: Sequence[Record], records: Sequence[Record]) -> dict[str, tuple[float, ...]]:
        """R² of the mean value of training, over all texts and by text."""
        measured = [record for record in records if record.value is not None]
        right = np.array([record.value for record in measured], dtype=np.float64)
        found = {name: _terms(numbers, right) for name, numbers in number_priors(train, measured).items()}
        return {name: terms for name, terms in found.items() if terms}

    def answers_to(
        self, model: nn.Module, records: Sequence[Record], inputs: dict[str, Tensor], top: int
    ) -> list[tuple[Answer, ...]]:
        """For each record, its number."""
        outputs = model(**on_device(inputs, model)).logits[:, 0].double().tolist()
        return [(Answer(self.mean + self.deviation * output),) for output in outputs]

    def accepted(self, record: Record) -> list[str]:
        return [] if record.value is None else [_shown(record.value)]


def _explained(predicted: np.ndarray, right: np.ndarray) -> float:
    """R², at least 0; of equal values 1 where all predictions are exact."""
    left, whole = float(np.sum((predicted - right) ** 2)), float(np.sum((right - right.mean()) ** 2))
    return max(0.0, 1.0 - left / whole) if whole else float(left == 0)


def _terms(predicted: np.ndarray, right: np.ndarray) -> tuple[float, ...]:
    """One number per record whose mean is R² before it is cut at 0; none where all values are equal."""
    whole = float(np.mean((right - right.mean()) ** 2)) if len(right) else 0.0
    return tuple((1.0 - (predicted - right) ** 2 / whole).tolist()) if whole else ()


def _errors(differences: np.ndarray) -> dict[str, float]:
    return {"mae": float(np.mean(np.abs(differences))), "rmse": float(np.sqrt(np.mean(differences**2)))}


def _shown(value: float) -> str:
    return f"{value:.6g}"
