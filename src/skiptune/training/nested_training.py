"""Train one model for every number of skipped blocks: each step skips another beginning of the plan's order."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..inserting.selection import choose
from ..plan import Plan


class NestedTraining(TrainerCallback):
    """Skips, in each step, the first ``k`` blocks of a nested plan's order, ``k`` from 1 to all with equal chances.

    ``k`` depends on the seed and the number of the step alone: it is the same in all processes, and after a resume.
    Between steps, for evaluations and checkpoints, the whole plan is skipped.

    Args:
        model: with adapters inserted.
        plan: with an order.
        seed: of the draws.
    """

    def __init__(self, model: nn.Module, plan: Plan, seed: int) -> None:
        self.model, self.plan, self.seed = model, plan, seed

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        count = np.random.default_rng((self.seed, state.global_step, 4)).integers(len(self.plan.skipped))
        choose(self.model, self.plan.first(int(count) + 1))

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        choose(self.model, self.plan)
