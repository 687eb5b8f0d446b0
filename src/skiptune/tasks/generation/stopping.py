"""When an answer ends, beside its end token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import StoppingCriteria

from .thoughts import answer_texts


def before_stop(text: str, stops: Sequence[str]) -> str | None:
    """A text up to the first of the texts that end an answer; ``None``: it has none of them."""
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return text[: min(places)] if places else None


class AtTexts(StoppingCriteria):
    """Ends a row whose new text has one of some texts in it. transformers' own ``stop_strings`` fails with tokenizers
    that do not know all letters, and looks at thoughts, too.

    Args:
        tokenizer: of the model.
        texts: that end an answer.
        begin: tokens of the prompt, which are not looked at.
    """

    def __init__(self, tokenizer: Any, texts: Sequence[str], begin: int) -> None:
        self._tokenizer, self._texts, self._begin = tokenizer, tuple(texts), begin

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:
        """Which rows of ``(batch, tokens)`` end."""
        said = answer_texts(self._tokenizer, input_ids, self._begin)
        return torch.tensor([any(text in row for text in self._texts) for row in said], device=input_ids.device)


class WhenTold(StoppingCriteria):
    """Ends all rows once a function says so."""

    def __init__(self, told: Callable[[], bool]) -> None:
        self._told = told

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:
        """Which rows of ``(batch, tokens)`` end."""
        return torch.full((len(input_ids),), self._told(), device=input_ids.device)
