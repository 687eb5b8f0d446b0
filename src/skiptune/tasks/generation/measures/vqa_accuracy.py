"""Soft accuracy of visual question answering."""

from __future__ import annotations

from ....data.answers import normalise_answer, official_accuracy
from ....data.record import Record
from .accepted import accepted_answers

#: From this many answers of annotators on, the official accuracy is computed of them.
ANNOTATORS = 10


def vqa_accuracy(answer: str, record: Record) -> float:
    """The official accuracy where ten annotators' answers are known: a third for each who says the same, at most 1,
    averaged over all ways to leave one of them out. Else the score of the right answer that it is.

    Texts are normalised as in the official evaluation, see :func:`skiptune.data.answers.normalise_answer`; as there,
    not where all annotators agree.
    """
    if len(record.given) >= ANNOTATORS:
        return official_accuracy(answer, record.given)
    said = normalise_answer(answer)
    return max(
        (score for right, score in accepted_answers(record).items() if normalise_answer(right) == said), default=0.0
    )


def has_soft_scores(record: Record) -> bool:
    """Whether some right answer is better than another."""
    return len(record.given) >= ANNOTATORS or any(score < 1 for score in record.answers.values())
