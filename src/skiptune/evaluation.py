"""Measure a model on records, and predict single answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .data.records import Record
from .errors import InputError
from .progress import track
from .tasks.vqa import Vqa


@dataclass(frozen=True)
class Evaluation:
    """``accuracy`` (soft score, [0, 1]) and mean ``loss`` over ``count`` records; the answer given to each.

    ``unknown`` counts records none of whose answers is in the model's vocabulary; they count as wrong.
    """

    accuracy: float
    loss: float
    count: int
    unknown: int
    predictions: tuple[str, ...]
    scores: tuple[float, ...]

    def summary(self) -> dict[str, float | int]:
        """The numbers, for JSON."""
        return {"accuracy": self.accuracy, "loss": self.loss, "count": self.count, "unknown_answers": self.unknown}


@torch.inference_mode()
def evaluate(
    model: nn.Module, task: Vqa, records: Sequence[Record], batch_size: int = 64, title: str = "evaluating"
) -> Evaluation:
    """Accuracy of ``model`` as it stands (with the blocks skipped that are skipped now).

    Raises:
        InputError: there are no records, or an image cannot be read.
    """
    if not records:
        raise InputError("there are no records to evaluate")
    training = model.training
    model.eval()
    order = sorted(range(len(records)), key=lambda row: len(records[row].question))
    scores, predictions, loss = [0.0] * len(records), [""] * len(records), 0.0
    for start in track(range(0, len(order), batch_size), title):
        rows = order[start : start + batch_size]
        batch = {k: v.to(model.device) for k, v in task.collate([records[row] for row in rows]).items()}  # type: ignore[arg-type]
        output = model(**batch)
        loss += float(output.loss) * len(rows)
        points = task.score(output.logits, batch["labels"]).tolist()
        for row, label, point in zip(rows, output.logits.argmax(1).tolist(), points, strict=True):
            scores[row], predictions[row] = point, task.answers[label]
    model.train(training)
    count = len(records)
    unknown = task.unknown_answers(records)
    return Evaluation(sum(scores) / count, loss / count, count, unknown, tuple(predictions), tuple(scores))


@torch.inference_mode()
def predict(model: nn.Module, task: Vqa, image: str | Path, question: str, top: int = 5) -> list[dict[str, Any]]:
    """The ``top`` most likely answers, each ``{"answer", "probability"}``, best first.

    Raises:
        InputError: the image cannot be read, or the question is empty.
    """
    if not question.strip():
        raise InputError("the question is empty")
    batch = task.collate([Record(Path(image), question, {})])
    batch = {name: value.to(model.device) for name, value in batch.items() if name != "labels"}  # type: ignore[arg-type]
    model.eval()
    probabilities = task.probabilities(model(**batch).logits)[0]
    best = probabilities.topk(min(top, len(task.answers)))
    return [
        {"answer": task.answers[label], "probability": value}
        for value, label in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]
