"""How many steps a training takes, and the learning rate at each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from transformers import TrainingArguments, get_scheduler
from transformers.trainer_utils import SchedulerType

from ..config import TrainConfig
from ..core.errors import InputError
from ..core.trainer_fields import MEASURING
from .checkpoints import examples_a_step


@dataclass(frozen=True)
class Stretch:
    """A part of a training's steps.

    Attributes:
        done: steps before these.
        steps: number of steps of this part.
        whole: number of steps of the whole training.
        warmup_ratio: share of all of them with a rising learning rate.
        searching: how many of these steps, the first ones, draw subnetworks. Nothing is evaluated in them, and none of
            them is the best one; a training that was stopped after them stays stopped.
    """

    done: int
    steps: int
    whole: int
    warmup_ratio: float
    searching: int = 0


def make_scheduler(optimizer: torch.optim.Optimizer, arguments: TrainingArguments, stretch: Stretch) -> LRScheduler:
    """The learning rate's schedule by transformers' name, over the whole training, of which ``stretch`` may be a part.

    Schedules that follow evaluations start with the stretch.

    Raises:
        InputError: settings that the schedule does not have.
    """
    name, settings = SchedulerType(arguments.lr_scheduler_type), arguments.lr_scheduler_kwargs or {}
    if name.value in MEASURING:
        settings = {"mode": "max" if arguments.greater_is_better else "min", **settings}
    try:
        warmup = math.ceil(stretch.warmup_ratio * stretch.whole)
        found: LRScheduler = get_scheduler(name, optimizer, warmup, stretch.whole, settings)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"train.scheduler: {name.value} cannot be used: {error}; "
            "its settings: arguments: {lr_scheduler_kwargs: {…}}"
        ) from None
    return _later(found, stretch.done) if isinstance(found, LambdaLR) and stretch.done else found


def _later(schedule: LambdaLR, done: int) -> LambdaLR:
    """The same schedule as it goes on after ``done`` steps."""

    def later(factor: Callable[[int], float]) -> Callable[[int], float]:
        return lambda step: factor(done + step)

    return LambdaLR(schedule.optimizer, [later(factor) for factor in schedule.lr_lambdas])


def optimizer_steps(config: TrainConfig, rows: int, epochs: float, max_steps: int | None) -> int:
    """Optimizer steps of a training on ``rows`` records: ``max_steps``, or as many as ``epochs`` passes take.

    The last step of a pass has the rows that are left, so that every pass takes ``ceil(rows / examples a step)`` steps,
    however the examples are divided among processes and micro-batches.
    """
    return max_steps or rounded_up(epochs * math.ceil(rows / examples_a_step(config)))


def rounded_up(steps: float) -> int:
    """The next whole number; what only rounding put above one counts as that one: 0.1 · 30 is 3."""
    return math.ceil(round(steps, 6))
