"""Gradient checkpointing: activations are computed again in the backward pass instead of being kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from ..core.errors import InputError


@contextmanager
def checkpointed_gradients(model: nn.Module, wanted: bool) -> Iterator[None]:
    """Context in which ``model`` keeps the activations between its blocks only, if ``wanted``.

    The blocks run again in the backward pass, as the skipped blocks are then: the subnetwork must not change between a
    forward pass and its backward pass. Never reentrant, which would lose gradients above frozen layers.

    Raises:
        InputError: the model cannot do that.
    """
    if not wanted:
        yield
        return
    refuse_without_checkpointing(model)
    found: Any = model
    if hasattr(model, "activation_checkpointing_enable"):
        found.activation_checkpointing_enable({"use_reentrant": False})
        disable = found.activation_checkpointing_disable
    else:  # transformers before 5.24
        found.gradient_checkpointing_enable({"use_reentrant": False})
        disable = found.gradient_checkpointing_disable
    try:
        yield
    finally:
        disable()


def refuse_without_checkpointing(model: nn.Module) -> None:
    """Refuse a model whose activations are always kept.

    Raises:
        InputError: names its class.
    """
    if not getattr(model, "supports_gradient_checkpointing", False):
        raise InputError(
            f"gradient_checkpointing: {type(model).__name__} has no blocks that can be computed again; set it to false"
        )
