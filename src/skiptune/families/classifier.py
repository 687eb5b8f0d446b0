"""The classifier that all families' task heads have, and its losses."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

#: The number of a class that is not among the model's.
NO_CLASS = -100


def make_classifier(inputs: int, hidden: int, labels: int) -> nn.Sequential:
    """Two layers, as the original's heads have them (LayerNorm epsilon 1e-5): ``(batch, inputs)`` to
    ``(batch, labels)``.
    """
    return nn.Sequential(nn.Linear(inputs, hidden), nn.LayerNorm(hidden), nn.GELU(), nn.Linear(hidden, labels))


def loss_by_labels(logits: Tensor, labels: Tensor) -> Tensor:
    """The loss that the kind of labels calls for.

    Args:
        logits: ``(batch, labels)``.
        labels: class numbers ``(batch,)``: cross-entropy, to which :data:`NO_CLASS` adds nothing. Scores in [0, 1],
            ``(batch, labels)``: binary cross-entropy, summed over labels and averaged over the batch. Other numbers
            ``(batch,)``: squared error of the only logit.
    """
    if not labels.is_floating_point():
        return cross_entropy(logits, labels, ignore_index=NO_CLASS, reduction="none").mean()
    if labels.ndim == logits.ndim:
        return binary_cross_entropy_with_logits(logits, labels.to(logits)) * labels.shape[1]
    return mse_loss(logits[:, 0], labels.to(logits))
