"""One-shot gate scores, after GateProbe (Sun et al., "Drop-Then-Recovery", 2026, arXiv 2606.27755).

GateProbe ranks blocks by the sensitivity of the task's loss to a virtual gate on each of them, measured once, before
any block is dropped and the rest fine-tuned. The paper's exact score was not at hand. Ours: every block's change is
multiplied by a gate that is 1, and the score is the root mean square, over held-out examples, of the derivative of an
example's loss with respect to it. By example, because contributions of opposite sign would cancel in a batch. Another
departure: LoRA on kept blocks has been trained for the steps of the search.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...inserting.block_hooks import Given
from ...layers.blocks import SkippableBlock
from ...plan import Round
from ..evaluator import Evaluator
from .gates import all_recorded, gate_gradients
from .strategy import Strategy


class GateProbe(Strategy):
    """Skips the blocks with the smallest ``√E[(∂L/∂g)²]`` for ``x + g · change`` at ``g = 1``.

    Nothing is skipped during the measurement, and skip adapters are not looked at.
    """

    name = "gate_probe"

    def decide(self, evaluator: Evaluator, rounds: int) -> list[Round]:
        evaluator.choose(())
        squares: list[Tensor] = []
        with evaluator.evaluating(), all_recorded(evaluator.model):
            for number in range(self.config.batches):
                for _, example in evaluator.examples(number):
                    squares.append(gate_gradients(evaluator, example, _whole_change).square())
                evaluator.add(2)  # a backward pass takes about as long as a forward pass
        self.choose_least(torch.stack(squares).mean(0).sqrt().tolist())
        return []


def _whole_change(block: SkippableBlock, given: Given, y: Tensor) -> Tensor:
    return block.added(given.stream, y)
