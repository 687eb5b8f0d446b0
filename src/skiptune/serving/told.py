"""What a service tells: answers, and what its models are."""

from __future__ import annotations

from ..core.validated import Several, Validated


class ToldAnswer(Validated):
    """An answer; values that its task does not have are left out.

    Attributes:
        answer: the text or the number.
        probability: in [0, 1].
        score: how well picture and text go together, to compare with others.
        cut: true of a written text that had no end when as many tokens were written as are allowed.
    """

    answer: str | float
    probability: float | None = None
    score: float | None = None
    cut: bool | None = None


class ToldPrediction(Validated):
    """The answers to one text, best first."""

    text: str
    answers: Several[ToldAnswer]


class Told(Validated):
    """The answers of a model, one entry for each text, in their order."""

    model: str
    predictions: Several[ToldPrediction]


class ToldModel(Validated):
    """What a model is.

    Attributes:
        name: in the address.
        task: what it was trained for.
        answers: how many it chooses from; ``None``: it is no choice.
        pictures: how many a question is about; ``None``: any number.
        needs_text: whether every question has a text.
        writes: whether it writes its answers.
        base: the model whose weights it shares with others; ``None``: it stands alone.
        blocks: how many its base had.
        skipped: the blocks that it does without.
        tokens: how its image tokens become fewer, in words; ``None``: they do not.
    """

    name: str
    task: str
    answers: int | None
    pictures: int | None
    needs_text: bool
    writes: bool
    base: str | None
    blocks: int
    skipped: Several[str]
    tokens: str | None = None


class ToldError(Validated):
    """Why a request was not answered."""

    error: str
