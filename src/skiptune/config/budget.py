"""How much to skip."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ..core.validated import Number, Validated
from ..core.validation import Problems

Reduction = Annotated[Number, Field(gt=-1, lt=0, description="between -1 and 0 (a reduction is negative, e.g. -0.25)")]

#: Tokens that a time is stated for where ``Budget.decode_steps`` is not given: a short answer.
DECODE_STEPS = 16


class Budget(Validated):
    """How much to skip. Exactly one of ``num_skip``, ``macs`` and ``latency`` is given.

    Blocks are skipped until the budget is met, and no more. Relative changes are against the original model without
    adapters; what the adapters add counts too. They hold for one text and one image of the model's usual size.

    Attributes:
        num_skip: the number of blocks to skip.
        macs: relative change of multiply-accumulates, e.g. ``-0.25``.
        latency: relative change of the seconds of a forward pass, timed before the search, so the plan depends on the
            machine. Blocks of one kind share one timing.
        decode_steps: for models that generate text, ``macs`` and ``latency`` are of the prefill, the pass over the
            prompt, and so many steps of one token after it; ``None``: 16 for ``latency``, none for ``macs``.
    """

    num_skip: int | None = Field(default=None, ge=0, le=10_000)
    macs: Reduction | None = None
    latency: Reduction | None = None
    decode_steps: int | None = Field(default=None, ge=0, le=10**6)

    @property
    def steps(self) -> int:
        """Decode steps that count, for models that generate text."""
        if self.decode_steps is not None:
            return self.decode_steps
        return 0 if self.latency is None else DECODE_STEPS

    def check(self, problems: Problems) -> None:
        ways = {"num_skip": self.num_skip, "macs": self.macs, "latency": self.latency}
        given = ", ".join(f"{name}={value}" for name, value in ways.items())
        problems.check(list(ways.values()).count(None) == 2, f"{given}: give exactly one of them")
        counts = self.decode_steps is None or self.num_skip is None
        problems.check(counts, f"decode_steps: {self.decode_steps}: a number of blocks has no costs; leave it out")
