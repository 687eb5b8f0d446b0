"""How much to skip."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ..core.validated import Number, Validated
from ..core.validation import Problems

Reduction = Annotated[Number, Field(gt=-1, lt=0, description="between -1 and 0 (a reduction is negative, e.g. -0.25)")]


class Budget(Validated):
    """How much to skip. Exactly one is given.

    Blocks are skipped until the budget is met, and no more. Relative changes are against the original model without
    adapters; what the adapters add counts too. They hold for one text and one image of the model's usual size.

    Attributes:
        num_skip: the number of blocks to skip.
        macs: relative change of multiply-accumulates, e.g. ``-0.25``.
        latency: relative change of the seconds of a forward pass, timed before the search, so the plan depends on the
            machine. Blocks of one kind share one timing.
    """

    num_skip: int | None = Field(default=None, ge=0, le=10_000)
    macs: Reduction | None = None
    latency: Reduction | None = None

    def check(self, problems: Problems) -> None:
        given = ", ".join(f"{name}={value}" for name, value in self)
        problems.check([value for _, value in self].count(None) == 2, f"{given}: give exactly one of them")
