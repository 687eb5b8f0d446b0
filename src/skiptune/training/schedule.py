"""How many steps a training takes, and the learning rate at each."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..config import TrainConfig
from ..core.distributed import processes
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
    """Optimizer steps of a training on ``rows`` records: ``max_steps``, or as many as ``epochs`` passes take.

    The last step of a pass has the rows that are left, so that every pass takes ``ceil(rows / examples a step)`` steps,
    however the examples are divided among processes and micro-batches.
    """
    return max_steps or _rounded_up(epochs * math.ceil(rows / examples_a_step(config)))


def micro_batches(config: TrainConfig, rows: int, steps: int) -> int:
    """Micro-batches that each process takes in the first ``steps`` optimizer steps on ``rows`` records."""
    a_pass = math.ceil(rows / (config.batch_size * processes()))
    passes, rest = divmod(steps, max(1, optimizer_steps(config, rows, 1, None)))
    return passes * a_pass + min(a_pass, rest * config.gradient_accumulation)


def _rounded_up(steps: float) -> int:
    """The next whole number; what only rounding put above one counts as that one: 0.1 · 30 is 3."""
    return math.ceil(round(steps, 6))
