"""A model's answer to one question."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.known_fields import KnownFields


@dataclass(frozen=True, repr=False)
class Answer(KnownFields):
    """An answer with its probability; for retrieval, a text with its score; for regression, a number alone; for
    generation, a text alone, or an option with its probability among the options.

    ``answer["probability"]`` reads a field too, as of the dictionaries of version 0.3.

    Attributes:
        answer: the text or the number.
        probability: in [0, 1]; ``None``: the task has none.
        cut: true of a written text that had no end when as many tokens were written as are allowed.
        score: how well picture and text go together, to compare with others; ``None``: the task has none.
    """

    answer: str | float
    probability: float | None = None
    score: float | None = None
    cut: bool | None = None

    def __getitem__(self, field: str) -> str | float:
        """A field that is known.

        Raises:
            KeyError: there is no such field, or it is not known.
        """
        found: str | float = self.to_dict()[field]
        return found

    def __contains__(self, field: object) -> bool:
        """Whether a field is known."""
        return field in self.to_dict()
