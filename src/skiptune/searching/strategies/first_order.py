"""First-order importance: gradient × change that a block makes (Molchanov et al., 2017 and 2019)."""

from __future__ import annotations

import torch
from torch import Tensor

from ...inserting.block_hooks import Given
from ...layers.blocks import SkippableBlock
from ...plan import Round
from ..evaluator import Evaluator
from .gates import all_recorded, gate_gradients
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
        with evaluator.evaluating(), all_recorded(evaluator.model):
            for number in range(self.config.batches):
                total += self._importance(evaluator, number)
                evaluator.add(2)  # a backward pass takes about as long as a forward pass
        self.choose_least((total / self.config.batches).tolist())
        return []

    def _importance(self, evaluator: Evaluator, number: int) -> Tensor:
        """Of every block ``(blocks,)`` on one batch."""
        parts = [
            (weight, gate_gradients(evaluator, piece, _beyond_adapter)) for weight, piece in evaluator.pieces(number)
        ]
        whole = sum(weight for weight, _ in parts)
        return torch.stack([weight / whole * part for weight, part in parts]).sum(0).abs()


def _beyond_adapter(block: SkippableBlock, given: Given, y: Tensor) -> Tensor:
    """What the block gives less what its skip adapter gives."""
    return y - block.step_over(given.stream, given.kwargs)
