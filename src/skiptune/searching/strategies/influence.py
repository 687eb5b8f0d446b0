"""Block influence: the cosine distance between a block's input and output (Men et al., "ShortGPT", 2024)."""

from __future__ import annotations

import torch
from torch import Tensor

from ...inserting.stream_hooks import stream_hooks
from ...plan import Round
from ..evaluator import Evaluator
from .strategy import Strategy


class Influence(Strategy):
    """Skips the blocks with the smallest ``1 − cos(input, output)``, a mean over all tokens of some held-out batches.

    Nothing is skipped during the measurement. Of half a layer, input and output are the residual stream before and
    after it. Padding counts as tokens except in decoders, because not every block knows which they are.
    """

    name = "influence"

    def decide(self, evaluator: Evaluator, rounds: int) -> list[Round]:
        self.choose_least(influences(evaluator, self.config.batches))
        return []


def influences(evaluator: Evaluator, batches: int) -> list[float]:
    """``1 − cos(input, output)`` of every block, with nothing skipped, over the first ``batches`` held-out batches."""
    found: dict[str, list[float]] = {name: [] for name in evaluator.names}
    rows: dict[str, list[float]] = {name: [] for name in evaluator.names}

    def compare(name: str, before: Tensor, after: Tensor, mask: Tensor | None) -> None:
        cosine = torch.cosine_similarity(before.float(), after.float(), dim=-1)
        taken = cosine if mask is None else cosine[mask]
        weight = float(len(cosine) if mask is None else len(taken))  # texts differ in length
        if weight:
            found[name].append(weight * (1 - float(taken.mean())))
            rows[name].append(weight)

    evaluator.choose(())
    with stream_hooks(evaluator.model, compare), evaluator.evaluating():
        for number in range(batches):
            for _, piece in evaluator.pieces(number):
                evaluator.forward(piece)
            evaluator.add(1)
    return [sum(values) / sum(rows[name]) for name, values in found.items()]
