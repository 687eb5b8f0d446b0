"""What makes probabilities of a model's outputs."""

from __future__ import annotations

from typing import Literal, TypeAlias

from torch import Tensor

#: ``softmax``: one of the classes is right; ``sigmoid``: each of them may be; ``none``: outputs are numbers themselves.
Activation: TypeAlias = Literal["softmax", "sigmoid", "none"]


def activated(logits: Tensor, activation: Activation) -> Tensor:
    """Outputs ``(batch, classes)`` after the activation."""
    if activation == "none":
        return logits
    return logits.softmax(-1) if activation == "softmax" else logits.sigmoid()
