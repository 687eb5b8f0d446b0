"""The classifier that all families' task heads have, and its loss."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import cross_entropy


def make_classifier(inputs: int, hidden: int, labels: int) -> nn.Sequential:
    """Two layers, as the original's heads have them (LayerNorm epsilon 1e-5): ``(batch, inputs)`` to
    ``(batch, labels)``.
    """
    return nn.Sequential(nn.Linear(inputs, hidden), nn.LayerNorm(hidden), nn.GELU(), nn.Linear(hidden, labels))


def classification_loss(logits: Tensor, labels: Tensor | None) -> Tensor | None:
    """The cross-entropy of ``(batch, labels)`` and class numbers ``(batch,)``; ``None`` without those."""
    return None if labels is None else cross_entropy(logits, labels)
