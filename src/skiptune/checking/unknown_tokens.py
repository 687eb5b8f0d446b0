"""Texts that a tokenizer cannot write."""

from __future__ import annotations

from typing import Any

from .finding import Findings
from .said import Said, shortened

_BATCH = 1000


class UnknownTokens:
    """Looks for the token of unknown characters in answers, many texts at once and each text once.

    Args:
        tokenizer: the model's.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._unknown: int | None = getattr(tokenizer, "unk_token_id", None)
        self._places: dict[str, list[str]] = {}

    def add(self, place: str, said: Said) -> None:
        """The answers of a row."""
        if self._unknown is not None:
            for answer in said.answers:
                self._places.setdefault(answer, []).append(place)

    def finish(self, part: str, findings: Findings) -> None:
        """Tell of all rows added so far, and forget them."""
        texts, places = list(self._places), self._places
        self._places = {}
        for at in range(0, len(texts), _BATCH):
            batch = texts[at : at + _BATCH]
            for text, ids in zip(batch, self._tokenizer(batch, add_special_tokens=False)["input_ids"], strict=True):
                if self._unknown in ids:
                    for place in places[text]:
                        findings.add("unknown_token", part, place, f"{shortened(text)!r} holds what has no token")
