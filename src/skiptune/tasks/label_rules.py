"""How classification treats one label a record, and several: targets, probabilities, choices, scores, measures.

A record's truth is the scores of its labels by number of the class; labels that the model does not know have the number
:data:`UNKNOWN`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from ..families.classifier import NO_CLASS
from .activation import Activation, activated

#: Scores by number of the class.
Truth: TypeAlias = Mapping[int, float]
UNKNOWN = -1
#: The probability and the score from which on a label counts as given.
_GIVEN = 0.5


class LabelRule(ABC):
    """One label a record, or several.

    Attributes:
        metric: the headline.
        problem_type: what transformers calls it.
        activation: what makes probabilities of the model's outputs.
    """

    metric: str
    problem_type: str
    activation: Activation

    @abstractmethod
    def targets(self, truths: Sequence[Truth], classes: int) -> Tensor:
        """The targets of the loss, see :func:`~skiptune.families.classifier.loss_by_labels`."""

    def probabilities(self, logits: Tensor) -> Tensor:
        """``(batch, classes)`` logits to probabilities."""
        return activated(logits, self.activation)

    @abstractmethod
    def chosen(self, probabilities: np.ndarray) -> tuple[int, ...]:
        """The classes that probabilities ``(classes,)`` give a record."""

    def given(self, truth: Truth) -> tuple[int, ...]:
        """The classes that a record has."""
        return tuple(sorted(label for label, score in truth.items() if score >= _GIVEN))

    def score(self, chosen: Sequence[int], truth: Truth) -> float:
        """The F1 of the chosen labels, in [0, 1]; 1 where rightly none is chosen."""
        given = self.given(truth)
        return 2 * len({*given} & {*chosen}) / (len(given) + len(chosen)) if given or chosen else 1.0

    @abstractmethod
    def metrics(self, probabilities: np.ndarray, truths: Sequence[Truth]) -> dict[str, float]:
        """Measures of ``(records, classes)``, the headline, which is the mean score, first."""


class OneLabel(LabelRule):
    """The class of highest probability; cross-entropy."""

    metric = "accuracy"
    problem_type = "single_label_classification"
    activation = "softmax"

    def targets(self, truths: Sequence[Truth], classes: int) -> Tensor:
        labels = (next(iter(truth), UNKNOWN) for truth in truths)
        return torch.tensor([NO_CLASS if label == UNKNOWN else label for label in labels], dtype=torch.long)

    def chosen(self, probabilities: np.ndarray) -> tuple[int, ...]:
        return (int(probabilities.argmax()),)

    def metrics(self, probabilities: np.ndarray, truths: Sequence[Truth]) -> dict[str, float]:
        """Accuracy, and F1 averaged over the classes that occur among truths or choices."""
        best, right = probabilities.argmax(1), np.array([next(iter(truth), UNKNOWN) for truth in truths])
        labels = np.union1d(best, right)
        shares = [2 * np.sum((best == k) & (right == k)) / (np.sum(best == k) + np.sum(right == k)) for k in labels]
        return {self.metric: float(np.mean(best == right)), "macro_f1": float(np.mean(shares))}


class SeveralLabels(LabelRule):
    """Every class with a probability of at least one half; binary cross-entropy with the scores."""

    metric = "f1"
    problem_type = "multi_label_classification"
    activation = "sigmoid"

    def targets(self, truths: Sequence[Truth], classes: int) -> Tensor:
        found = torch.zeros(len(truths), classes)
        for row, truth in enumerate(truths):
            for label, score in truth.items():
                if label != UNKNOWN:
                    found[row, label] = score
        return found

    def chosen(self, probabilities: np.ndarray) -> tuple[int, ...]:
        return tuple(np.flatnonzero(probabilities >= _GIVEN).tolist())

    def metrics(self, probabilities: np.ndarray, truths: Sequence[Truth]) -> dict[str, float]:
        """F1 averaged over the records, the share with exactly the right labels, and average precision averaged over
        the classes that occur."""
        scores = [self.score(self.chosen(row), truth) for row, truth in zip(probabilities, truths, strict=True)]
        given = np.zeros(probabilities.shape, dtype=bool)
        for row, truth in enumerate(truths):
            given[row, [label for label, score in truth.items() if label != UNKNOWN and score >= _GIVEN]] = True
        precisions = [_average_precision(probabilities[:, k], given[:, k]) for k in np.flatnonzero(given.any(0))]
        return {
            self.metric: float(np.mean(scores)),
            "exact_match": float(np.mean([score == 1.0 for score in scores])),
            "mean_average_precision": float(np.mean(precisions)) if precisions else 1.0,
        }


def _average_precision(probabilities: np.ndarray, given: np.ndarray) -> float:
    """The mean, over a class's records, of that class's share among all that are ranked as high; ties rank as one."""
    every, own = np.sort(probabilities), np.sort(probabilities[given])
    ahead = len(every) - np.searchsorted(every, own)
    return float(np.mean((len(own) - np.searchsorted(own, own)) / ahead))
