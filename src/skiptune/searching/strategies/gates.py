"""Gradients of the loss with respect to a gate on every block's change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from ...inserting.block_hooks import Given, block_hooks, output_stream
from ...layers.blocks import SkippableBlock
from ..evaluator import Evaluator
from ..held_out import Batch

#: A block's change, ``(batch, tokens, width)``, from the block, its arguments and its output.
Change: TypeAlias = Callable[[SkippableBlock, Given, Tensor], Tensor]


def gate_gradients(evaluator: Evaluator, batch: Batch, change: Change) -> Tensor:
    """``∂L/∂g`` at 1 of a gate ``g`` on the change of each block, ``(blocks,)``: ``⟨∂L/∂y, change⟩``, with ``y`` the
    block's output."""
    changes: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in evaluator.names}

    def compare(name: str, block: SkippableBlock, given: Given, output: Any) -> None:
        y = output_stream(output)
        with torch.no_grad():
            changes[name].append((y, change(block, given, y).detach()))

    with block_hooks(evaluator.model, compare):
        loss = evaluator.loss_to_differentiate(batch)
    outputs = [y for pairs in changes.values() for y, _ in pairs]
    # zero where nothing reads a block, as LLaVA does not read the last layer of CLIP
    gradients = iter(torch.autograd.grad(loss, outputs, allow_unused=True, materialize_grads=True))
    return torch.tensor(
        [sum(float((next(gradients) * changed).sum()) for _, changed in pairs) for pairs in changes.values()]
    )


@contextmanager
def all_recorded(model: nn.Module) -> Iterator[None]:
    """Context in which every parameter requires a gradient, so that gradients reach frozen encoders too."""
    frozen = [parameter for parameter in model.parameters() if not parameter.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)
