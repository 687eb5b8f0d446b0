"""How likely a model finds right answers: the loss of every record by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ...core.ignored_label import IGNORED


@dataclass(frozen=True)
class Likelihood:
    """Of the answers of one record.

    Attributes:
        loss: sum over their tokens of the negative logarithm of the probability.
        tokens: their number, with those that end answers.
    """

    loss: float
    tokens: int

    @property
    def mean_probability(self) -> float:
        """The geometric mean of the probabilities of the tokens, in [0, 1]."""
        return float(torch.tensor(-self.loss / self.tokens).exp()) if self.tokens else 0.0


@torch.inference_mode()
def likelihoods(model: Any, batch: dict[str, Tensor]) -> list[Likelihood]:
    """For every row of a batch of :meth:`ChatInputs.training`, on the model's device."""
    logits, labels = model(**batch).logits, batch["shift_labels"]
    losses = cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none")
    sums, counts = losses.view(labels.shape).sum(1), (labels != IGNORED).sum(1)
    return [Likelihood(loss, tokens) for loss, tokens in zip(sums.tolist(), counts.tolist(), strict=True)]
