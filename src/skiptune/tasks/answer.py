"""A model's answer to one question."""

from __future__ import annotations

from typing import TypedDict


class _Text(TypedDict):
    answer: str


class Answer(_Text, total=False):
    """An answer with its probability, or, for retrieval, a caption with its score. JSON values.

    Attributes:
        answer: the text.
        probability: in [0, 1].
        score: how well image and caption go together; to compare with those of other captions and images.
    """

    probability: float
    score: float
