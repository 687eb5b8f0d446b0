"""Losses of a round's candidates to rewards: higher is better."""

from __future__ import annotations

import math

_MEMORY = 0.9


def exp_loss(losses: list[float]) -> list[float]:
    """``exp(−loss)``, the paper's (section 3.3). Vanishes for losses in the hundreds, as those of VQA are at first."""
    return [math.exp(-loss) for loss in losses]


class Standardized:
    """Minus the loss, in units of a running standard deviation of the losses within a round.

    Departure from the paper: the size of a policy step no longer depends on the scale of the loss, so a task whose
    loss is summed over thousands of answers is searched as well as one with two classes.

    Attributes:
        spread: running mean of the squared deviation from the round's mean loss; ``None`` before the first round.
    """

    def __init__(self, spread: float | None = None) -> None:
        self.spread = spread

    def __call__(self, losses: list[float]) -> list[float]:
        mean = sum(losses) / len(losses)
        variance = sum((loss - mean) ** 2 for loss in losses) / len(losses)
        self.spread = variance if self.spread is None else _MEMORY * self.spread + (1 - _MEMORY) * variance
        unit = math.sqrt(self.spread) or 1.0
        return [(mean - loss) / unit for loss in losses]
