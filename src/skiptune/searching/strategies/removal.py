"""Removal by validation loss: every block by itself, or one after the other (Song et al., "SLEB", 2024)."""

from __future__ import annotations

from collections.abc import Sequence

from ...plan import Round
from ..evaluator import Evaluator
from ..feasible_sets import Candidate
from .strategy import Strategy


def mean_losses(evaluator: Evaluator, candidates: list[Candidate], batches: Sequence[int]) -> list[float]:
    """Of every candidate over some held-out batches."""
    rows = [evaluator.losses(candidates, number) for number in batches]
    return [sum(column) / len(batches) for column in zip(*rows, strict=True)]


class LeaveOneOut(Strategy):
    """Skips the blocks whose removal, each by itself, raises the validation loss least."""

    name = "leave_one_out"

    def decide(self, evaluator: Evaluator, rounds: int) -> list[Round]:
        whole, *without = mean_losses(
            evaluator, [(), *((block,) for block in range(self.blocks))], range(self.config.batches)
        )
        self.choose_least([loss - whole for loss in without])
        return []


class Greedy(Strategy):
    """Removes one block after the other, each time the one that raises the validation loss least for what it saves.

    With blocks of equal cost that is SLEB's rule. A block's preference is minus the turn in which it was removed; kept
    blocks have the lowest one.
    """

    name = "greedy"

    def decide(self, evaluator: Evaluator, rounds: int) -> list[Round]:
        gone: list[int] = []
        base = mean_losses(evaluator, [()], range(self.config.batches))[0]
        useful = [block for block in range(self.blocks) if self.feasible.savings[block] > 0]
        while not self.feasible.met(gone):
            left = [block for block in useful if block not in gone]
            sets = [tuple(sorted((*gone, block))) for block in left]
            losses = mean_losses(evaluator, sets, range(self.config.batches))
            price = [(loss - base) / self.feasible.savings[block] for loss, block in zip(losses, left, strict=True)]
            turn = price.index(min(price))
            gone.append(left[turn])
            base = losses[turn]
        self.preferences = [
            float(-gone.index(block) if block in gone else -self.blocks) for block in range(self.blocks)
        ]
        self.choice = self.feasible.fill(gone)
        return []
