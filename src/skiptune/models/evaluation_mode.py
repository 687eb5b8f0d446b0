"""Evaluation mode for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Context with a model in evaluation mode, whose mode is then what it was."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
