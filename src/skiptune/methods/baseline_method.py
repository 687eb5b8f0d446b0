"""Which methods the baselines of a recipe are."""

from __future__ import annotations

from ..config import BlockAdapter
from .fine_tuning import HeadAndSmallParts
from .method import Method
from .plan_methods import RandomPlan
from .registry import METHODS

#: The method that trains the same parts of kept blocks as a run, with nothing skipped.
_UNSKIPPED: dict[BlockAdapter, Method] = {
    "bottleneck": METHODS["adapters"],
    "lora": METHODS["lora"],
    "none": HeadAndSmallParts(),
}


def baseline_method(name: str, kind: BlockAdapter) -> Method:
    """The method that the baseline ``name`` stands for.

    Args:
        name: ``unskipped`` or ``random``, which have the same adapters as the run, or the name of a method.
        kind: of the run's adapters on kept blocks.
    """
    if name == "unskipped":
        return _UNSKIPPED[kind]
    return RandomPlan(kind) if name == "random" else METHODS[name]
