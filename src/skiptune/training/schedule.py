"""How many steps a training takes, and the learning rate at each."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..config import TrainConfig
from .checkpoints import examples_a_step


@dataclass(frozen=True)
class Stretch:
    """A part of a training's steps.

    Attributes:
        done: steps before these.
        steps: number of steps of this part.
        whole: number of steps of the whole training.
        warmup_ratio: share of all of them with a rising learning rate.
    """

    done: int
    steps: int
    whole: int
    warmup_ratio: float

    def learning_rate(self, step: int) -> float:
        """Share of the peak at ``step``, counted from 0 in this stretch."""
        warmup = math.ceil(self.warmup_ratio * self.whole)
        at = self.done + step
        return at / max(1, warmup) if at < warmup else max(0.0, (self.whole - at) / max(1, self.whole - warmup))


def optimizer_steps(config: TrainConfig, rows: int, epochs: float, max_steps: int | None) -> int:
    """Optimizer steps of a training on ``rows`` records."""
    return max_steps or math.ceil(epochs * rows / examples_a_step(config))
