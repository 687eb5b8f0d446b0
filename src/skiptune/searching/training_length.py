"""How long a training is, of which a search is the first part."""

from __future__ import annotations

import math
from collections.abc import Sized
from dataclasses import dataclass

from transformers import TrainerState, TrainingArguments

from ..config import TrainConfig
from ..core.distributed import processes
from ..core.errors import InputError
from ..training.checkpoints import examples_a_step
from ..training.schedule import optimizer_steps, rounded_up


@dataclass(frozen=True)
class TrainingLength:
    """The length of a training.

    Attributes:
        steps: optimizer steps, those of the search included.
        micro_batches: of an optimizer step, in each process.
        examples: of an optimizer step, over all processes and micro-batches.
        batches_a_pass: micro-batches that each process takes in a pass over the data; ``None``: not known, of a
            dataset without a length.
    """

    steps: int
    micro_batches: int
    examples: int
    batches_a_pass: int | None

    @classmethod
    def of(cls, config: TrainConfig, rows: int) -> TrainingLength:
        """Of a configuration, on ``rows`` records."""
        steps = optimizer_steps(config, rows, config.epochs, config.max_steps)
        a_pass = math.ceil(rows / (config.batch_size * processes()))
        return cls(steps, config.gradient_accumulation, examples_a_step(config), a_pass)

    @classmethod
    def of_trainer(cls, args: TrainingArguments, state: TrainerState, train_dataloader: object) -> TrainingLength:
        """Of a Trainer that begins to train."""
        micro_batches = int(args.gradient_accumulation_steps)
        examples = int(args.train_batch_size) * micro_batches * processes()
        try:
            a_pass = len(train_dataloader) if isinstance(train_dataloader, Sized) else None
        except TypeError:  # a DataLoader over a dataset without a length
            a_pass = None
        return cls(int(state.max_steps), micro_batches, examples, a_pass)

    @property
    def micro_batch(self) -> int:
        """Examples of a micro-batch, over all processes."""
        return self.examples // self.micro_batches

    def steps_of(self, epochs: float) -> int:
        """Optimizer steps of so many passes.

        Raises:
            InputError: the dataset has no length.
        """
        return rounded_up(epochs * math.ceil(self._a_pass("epochs") / self.micro_batches))

    def batches_of(self, steps: int) -> int:
        """Micro-batches that each process takes in the first ``steps`` optimizer steps."""
        passes, rest = divmod(steps, max(1, self.steps_of(1)))
        return passes * self._a_pass("draw: micro_batch") + min(
            self._a_pass("draw: micro_batch"), rest * self.micro_batches
        )

    def _a_pass(self, setting: str) -> int:
        if self.batches_a_pass is None:
            raise InputError(f"search.{setting}: the training dataset has no length; give search.max_steps instead")
        return self.batches_a_pass
