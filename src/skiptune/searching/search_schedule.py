"""The schedule of a search: its steps, its warm-up, its rounds of comparisons."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..config import SearchConfig, TrainConfig
from ..core.distributed import alike
from ..core.errors import InputError
from .strategies import STRATEGIES
from .training_length import TrainingLength

#: For strategies that compare during training: the share of the training's steps that the search takes (the paper's),
#: and the share of those before the first comparison.
_OPEN, _WARMUP = 0.3, 1 / 3


#: For strategies that compare at the end of the search, where blocks alone are chosen: a twentieth of the steps, at
#: least 8, which is half of the usual warm-up of the learning rate. What adapters learn on constantly changing
#: subnetworks is of little use to the chosen one, and influence tells about blocks without it
#: (``benchmarks/results/search_length.json``).
_BLOCKS, _LEAST_FOR_BLOCKS = 0.05, 8
#: Where token schedules are chosen too: influence says nothing about them, and losses after very few steps do not show
#: what adapters can compensate.
_TOKENS, _LEAST_FOR_TOKENS = 0.1, 64


#: Cost of a training step in forward passes: its own, and the backward pass through frozen weights.
_STEP = 2


def reward_batch_size(config: SearchConfig, training: TrainConfig) -> int:
    """Examples in a held-out batch of a search in a training on our own records, see :func:`held_out_batch`."""
    return held_out_batch(config, TrainingLength.of(training, rows=1))


def held_out_batch(config: SearchConfig, length: TrainingLength) -> int:
    """Examples in a held-out batch: as set, else the strategy's share of what a drawn subnetwork trains on, which is an
    optimizer step or a micro-batch of all processes."""
    share = STRATEGIES[config.strategy].batch_share
    drawn_for = length.examples if config.draw == "step" else length.micro_batch
    return config.reward_batch_size or math.ceil(drawn_for * share)


@dataclass(frozen=True)
class Schedule:
    """The schedule of a search.

    Attributes:
        steps: optimizer steps of the search.
        whole: of search and training together.
        rounds: of comparisons.
        warmup: draws before the first round, for strategies that compare during training.
        interval: draws between rounds.
    """

    steps: int
    whole: int
    rounds: int
    warmup: int
    interval: int

    def check_part_of(self, steps: int) -> None:
        """Refuse a search that leaves nothing of a training of ``steps``.

        Raises:
            InputError: says how long both are.
        """
        if self.steps >= steps:
            raise alike(
                InputError(
                    f"the search takes {self.steps} steps and the training has {steps} in all; lower "
                    "search.max_steps or search.epochs, or train longer"
                )
            )


def schedule(config: SearchConfig, length: TrainingLength, held_out: int) -> Schedule:
    """The schedule of a search in a training of this length, with held-out batches of ``held_out`` examples.

    Raises:
        InputError: passes over the data are asked for, and the dataset has no length.
    """
    whole = length.steps
    if config.max_steps is None and config.epochs is None:
        share, least = (_BLOCKS, _LEAST_FOR_BLOCKS) if config.tokens is None else (_TOKENS, _LEAST_FOR_TOKENS)
        if STRATEGIES[config.strategy].compares_while_training:
            share = _OPEN
        steps = max(1, round(min(_OPEN * whole, max(share * whole, least))))
    else:
        steps = config.max_steps or length.steps_of(config.epochs or 0)
    each = config.draw == "micro_batch"
    draws = length.batches_of(steps) if each else steps
    if config.max_steps is None and config.warmup_epochs is not None:
        before = length.steps_of(config.warmup_epochs)
        warmup = length.batches_of(before) if each else before
    else:
        share = _WARMUP if config.warmup_epochs is None else config.warmup_epochs / (config.epochs or 1)
        warmup = math.ceil(share * draws)
    work = config.cost * _STEP * whole * length.examples
    rounds = max(1, int(work / (config.candidates * held_out)))
    interval = config.interval or max(1, round((draws - warmup) / rounds))
    return Schedule(steps, whole, rounds, warmup, interval)
