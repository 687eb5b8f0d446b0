"""Block influence: how far a block turns its input (Men et al., "ShortGPT", 2024)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ...inserting.selection import blocks_of
from ..evaluator import Trial
from .strategy import Strategy


class Influence(Strategy):
    """Skips the blocks with the smallest ``1 − cos(input, output)``, a mean over all tokens of some held-out batches.

    Nothing is skipped meanwhile. Padding counts as tokens do: a block is not told which they are.
    """

    name = "influence"

    def decide(self, trial: Trial, rounds: int) -> list[dict[str, Any]]:
        self.settle(influences(trial, self.config.batches))
        return []


def influences(trial: Trial, batches: int) -> list[float]:
    """``1 − cos(input, output)`` of every block, with nothing skipped, over the first ``batches`` held-out batches."""
    found: list[list[float]] = [[] for _ in trial.names]

    def watch(number: int) -> Any:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
            cosine = torch.cosine_similarity(inputs[0].float(), stream(output).float(), dim=-1)
            found[number].append(1 - float(cosine.mean()))

        return hook

    trial.choose(())
    blocks = blocks_of(trial.model).values()
    hooks = [block.register_forward_hook(watch(number)) for number, block in enumerate(blocks)]
    try:
        with trial.evaluating(), torch.no_grad():
            for number in range(batches):
                trial.model(**trial.batch(number))
                trial.count(1)
    finally:
        for hook in hooks:
            hook.remove()
    return [sum(values) / len(values) for values in found]


def stream(output: Any) -> Tensor:
    """The residual stream in what a block returned."""
    found: Tensor = output if isinstance(output, Tensor) else output[0]
    return found
