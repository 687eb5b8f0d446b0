"""What comes out: predictions, and places in a ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

from ..core.errors import InputError
from ..core.known_fields import KnownFields
from ..tasks.answer import Answer


@dataclass(frozen=True, repr=False)
class Prediction(KnownFields, Sequence[Answer]):
    """The answers to one question, best first; a sequence of them.

    Attributes:
        answers: best first; none where there is an error.
        error: why the question could not be answered; ``None``: it could. Only one question among several has an
            error; one that is asked alone raises it.
    """

    answers: tuple[Answer, ...]
    error: str | None = None

    @overload
    def __getitem__(self, place: int) -> Answer: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Answer, ...]: ...
    def __getitem__(self, place: int | slice) -> Answer | tuple[Answer, ...]:
        return self.answers[place]

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def best(self) -> Answer:
        """The first answer.

        Raises:
            InputError: there is none; says why.
        """
        if not self.answers:
            raise InputError(f"there is no answer: {self.error}")
        return self.answers[0]

    @property
    def answer(self) -> str | float:
        """Text or number of the first answer.

        Raises:
            InputError: as :attr:`best`.
        """
        return self.best.answer

    @property
    def probability(self) -> float | None:
        """Of the first answer.

        Raises:
            InputError: as :attr:`best`.
        """
        return self.best.probability

    @property
    def score(self) -> float | None:
        """Of the first answer.

        Raises:
            InputError: as :attr:`best`.
        """
        return self.best.score

    def to_dict(self) -> dict[str, Any]:
        """``answers``, and ``error`` if there is one; JSON values."""
        return {**super().to_dict(), "answers": [answer.to_dict() for answer in self.answers]}


@dataclass(frozen=True, repr=False)
class Ranked(KnownFields):
    """A picture or a text in a ranking.

    Attributes:
        index: its place among those that were given, from 0 on.
        item: the text, or the name of the picture; ``in memory`` where it has none.
        score: how well it fits, to compare with others; ``None`` where it could not be read.
        error: why it could not be read; ``None``: it could.
    """

    index: int
    item: str
    score: float | None
    error: str | None = None
