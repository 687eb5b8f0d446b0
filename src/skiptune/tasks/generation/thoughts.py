"""Tell an answer from the thoughts that some models write before it, as Qwen 3 does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

#: Between these a model thinks. A tokenizer that has no such tokens is of a model that does not.
_BEGIN, _END = "<think>", "</think>"


class Thoughts:
    """Which new tokens are an answer's; told one by one, in their order.

    A tokenizer need not call the two words special: then they would stand in the text of every answer.

    Args:
        tokenizer: of the model.
        prompt: the tokens before; a template may open the thoughts itself.
    """

    def __init__(self, tokenizer: Any, prompt: Sequence[int] = ()) -> None:
        added = tokenizer.get_added_vocab()
        self._begin, self._end = added.get(_BEGIN), added.get(_END)
        self._thinking = False
        if self._begin is not None and self._end is not None:
            self.said(prompt)

    def said(self, tokens: Sequence[int]) -> list[int]:
        """The tokens of the answer among the next ones."""
        if self._begin is None or self._end is None:
            return list(tokens)
        found = []
        for token in tokens:
            if token in (self._begin, self._end):
                self._thinking = token == self._begin
            elif not self._thinking:
                found.append(token)
        return found


def without_thoughts(text: str) -> str:
    """An answer of the data, as models that think are compared with it."""
    return text.partition(_END)[2].strip() if text.lstrip().startswith(_BEGIN) and _END in text else text


def answer_texts(tokenizer: Any, written: Tensor, begin: int) -> list[str]:
    """The answers in ``written`` (batch, tokens), whose first ``begin`` tokens are prompts, without special tokens."""
    rows = written.tolist()
    said = [Thoughts(tokenizer, row[:begin]).said(row[begin:]) for row in rows]
    return list(tokenizer.batch_decode(said, skip_special_tokens=True))
