"""The precision that a model computes in while it trains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def own_precision(model: nn.Module) -> Iterator[None]:
    """Context in which ``model`` computes in the precision of its weights, as after the training; with mixed precision,
    accelerate has put a forward pass of its own on it."""
    mixed = vars(model).pop("forward", None)
    try:
        yield
    finally:
        if mixed is not None:
            vars(model)["forward"] = mixed


@contextmanager
def forward_restored(model: nn.Module) -> Iterator[None]:
    """Context after which ``model`` has the forward pass that it had before, of whatever accelerate has put in its
    place."""
    before = vars(model).get("forward")
    try:
        yield
    finally:
        for name in ("forward", "_original_forward"):
            vars(model).pop(name, None)
        if before is not None:
            vars(model)["forward"] = before
