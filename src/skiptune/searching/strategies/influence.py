"""Block influence: the cosine distance between a block's input and output (Men et al., "ShortGPT", 2024)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ...inserting.block_hooks import Given, block_hooks, output_stream
from ...plan import Round
from ..evaluator import Evaluator
from .strategy import Strategy


class Influence(Strategy):
    """Skips the blocks with the smallest ``1 − cos(input, output)``, a mean over all tokens of some held-out batches.

    Nothing is skipped during the measurement. Padding counts as tokens, because not every block knows which they are.
    """

    name = "influence"

    def decide(self, evaluator: Evaluator, rounds: int) -> list[Round]:
        self.choose_least(influences(evaluator, self.config.batches))
        return []


def influences(evaluator: Evaluator, batches: int) -> list[float]:
    """``1 − cos(input, output)`` of every block, with nothing skipped, over the first ``batches`` held-out batches."""
    found: dict[str, list[float]] = {name: [] for name in evaluator.names}
    shares: dict[str, list[float]] = {name: [] for name in evaluator.names}
    share = 1.0

    def compare(name: str, block: nn.Module, given: Given, output: Any) -> None:
        cosine = torch.cosine_similarity(given.stream.float(), output_stream(output).float(), dim=-1)
        found[name].append(share * (1 - float(cosine.mean())))
        shares[name].append(share)

    evaluator.choose(())
    with block_hooks(evaluator.model, compare), evaluator.evaluating():
        for number in range(batches):
            for share, piece in evaluator.pieces(number):  # noqa: B007 - the hook reads it
                evaluator.forward(piece)
            evaluator.add(1)
    return [sum(values) / sum(shares[name]) for name, values in found.items()]
