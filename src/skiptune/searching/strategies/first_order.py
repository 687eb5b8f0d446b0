"""First-order importance: gradient × change that a block makes (Molchanov et al., 2017 and 2019)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ...inserting.block_hooks import Given, block_hooks, output_stream
from ...layers.blocks import SkippableBlock
from ...plan import Round
from ..evaluator import Evaluator
from ..held_out import Batch
from .strategy import Strategy


class FirstOrder(Strategy):
    """Skips the blocks whose removal changes the loss least to first order: ``|⟨∂L/∂y, y − s⟩|``, where ``y`` is the
    block's output and ``s`` that of its skip adapter, as a mean over some held-out batches.

    Nothing is skipped during the measurement.
    """

    name = "first_order"

    def decide(self, evaluator: Evaluator, rounds: int) -> list[Round]:
        evaluator.choose(())
        total = torch.zeros(self.blocks)
        with evaluator.evaluating(), _recorded(evaluator.model):
            for number in range(self.config.batches):
                total += self._importance(evaluator, number)
                evaluator.add(2)  # a backward pass takes about as long as a forward pass
        self.choose_least((total / self.config.batches).tolist())
        return []

    def _importance(self, evaluator: Evaluator, number: int) -> Tensor:
        """Of every block ``(blocks,)`` on one batch."""
        parts = [(weight, self._first_order(evaluator, piece)) for weight, piece in evaluator.pieces(number) if weight]
        whole = sum(weight for weight, _ in parts)
        return torch.stack([weight / whole * part for weight, part in parts]).sum(0).abs()

    def _first_order(self, evaluator: Evaluator, batch: Batch) -> Tensor:
        """The change of the loss to first order, of every block ``(blocks,)``."""
        changes: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in evaluator.names}

        def compare(name: str, block: SkippableBlock, given: Given, output: Any) -> None:
            y = output_stream(output)
            with torch.no_grad():
                changes[name].append((y, y - block.step_over(given.stream, given.kwargs)))

        with block_hooks(evaluator.model, compare):
            loss = evaluator.loss_to_differentiate(batch)
        outputs = [y for pairs in changes.values() for y, _ in pairs]
        # zero where nothing reads a block, as LLaVA does not read the last layer of CLIP
        gradients = iter(torch.autograd.grad(loss, outputs, allow_unused=True, materialize_grads=True))
        first_order = [
            sum(float((next(gradients) * change).sum()) for _, change in pairs) for pairs in changes.values()
        ]
        return torch.tensor(first_order)


@contextmanager
def _recorded(model: nn.Module) -> Iterator[None]:
    """Context in which every parameter requires a gradient, so that gradients reach frozen encoders too."""
    frozen = [parameter for parameter in model.parameters() if not parameter.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)
