"""Which budgets a model can meet, at the sizes of the data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..config import Budget, SkipConfig
from ..costs.example_inputs import example_inputs
from ..costs.macs import count_blocks
from ..costs.shapes_only import ShapesOnly
from ..inserting.insert import insert
from ..models.loading import load_model
from ..searching.feasible_sets import most_saved
from ..tasks.task import Task

#: Share of the blocks that a first recipe skips.
_SHARE = 3


@dataclass(frozen=True)
class BudgetRange:
    """The budgets that a model can meet.

    Attributes:
        blocks: that can be skipped; one must be kept.
        changes: relative change of multiply-accumulates with 1, 2, … blocks skipped, those that save most first.
        image_size: (height, width) in pixels of the data's images, for which this holds.
        text_length: of its texts, in tokens, likewise.
        parameters: of the model.
    """

    blocks: int
    changes: tuple[float, ...]
    image_size: tuple[int, int]
    text_length: int
    parameters: int

    @property
    def proposed(self) -> Budget:
        """A third of the blocks."""
        return Budget(num_skip=max(1, min(self.blocks - 1, self.blocks // _SHARE)))

    def __str__(self) -> str:
        macs = f", or macs down to {self.most:.2f}" if self.most < 0 else ""
        return f"num_skip from 1 to {self.blocks - 1}{macs}"

    def met_by(self, skipped: int) -> float:
        """The change that so many blocks reach, in hundredths, rounded so that they meet it."""
        return math.ceil(100 * self.changes[skipped - 1]) / 100

    @property
    def most(self) -> float:
        """The largest reduction that can be met."""
        return self.met_by(len(self.changes))


def budget_range(model: str, task: Task, adapters: SkipConfig, size: tuple[tuple[int, int], int]) -> BudgetRange:
    """Count the operations of each block. No weights are read.

    Args:
        model: embedded name, directory or hub id.
        task: whose head it gets.
        adapters: that are inserted.
        size: (height, width) in pixels, and tokens of text.

    Raises:
        InputError: unknown model, or one that cannot do the task.
    """
    with ShapesOnly():
        built: Any = load_model(model, task.model_class, random_weights=True, quiet=True, **task.model_changes())
    parameters = sum(parameter.numel() for parameter in built.parameters())
    adapted = insert(built, adapters)
    costs = count_blocks(adapted, example_inputs(adapted, *size))
    savings = sorted(costs.savings.values(), reverse=True)
    saved = [math.fsum(savings[:count]) for count in range(1, len(savings) - 1)] + [most_saved(savings)]
    changes = tuple((costs.adapted - value) / costs.original - 1 for value in saved)
    return BudgetRange(len(savings), changes, *size, parameters)
