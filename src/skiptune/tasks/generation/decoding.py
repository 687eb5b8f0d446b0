"""How answers are written: the most likely token each time, or tokens drawn by their probabilities."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ...core.validated import Count, NonNegative, Number, Seed, Several, Text, Validated
from ...core.validation import Problems


class Decoding(Validated):
    """How an answer is written, token by token.

    Attributes:
        max_new_tokens: of an answer at most; ``None``: as many as the task says.
        temperature: tokens are drawn by the softmax of logits / temperature; ``None`` or 0: the most likely is taken.
        top_p: draw among the fewest most likely tokens whose probabilities have at least this sum.
        top_k: draw among this many most likely tokens.
        seed: of what is drawn. The draws of one answer do not depend on what else is in its batch.
        stop: texts at which an answer ends; they are no part of it.

    Raises:
        InputError: a value is out of range, or ``top_p`` or ``top_k`` without a temperature.
    """

    max_new_tokens: Count | None = None
    temperature: NonNegative | None = None
    top_p: Annotated[Number, Field(gt=0, le=1)] | None = None
    top_k: Count | None = None
    seed: Seed = 0
    stop: Several[Text] = ()

    @property
    def sampled(self) -> bool:
        """Whether tokens are drawn."""
        return bool(self.temperature)

    def check(self, problems: Problems) -> None:
        for name in ("top_p", "top_k"):
            fine = self.sampled or getattr(self, name) is None
            problems.check(fine, f"{name}: only tokens that are drawn have it; give a temperature above 0 too")
