"""Block influence: how far a block turns its input (Men et al., "ShortGPT", 2024)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ...inserting.block_hooks import block_hooks, output_stream
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
    found: dict[str, list[float]] = {name: [] for name in trial.names}

    def compare(name: str, block: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
        cosine = torch.cosine_similarity(inputs[0].float(), output_stream(output).float(), dim=-1)
        found[name].append(1 - float(cosine.mean()))

    trial.choose(())
    with block_hooks(trial.model, compare), trial.evaluating(), torch.no_grad():
        for number in range(batches):
            trial.model(**trial.batch(number))
            trial.count(1)
    return [sum(values) / len(values) for values in found.values()]
