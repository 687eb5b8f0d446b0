"""A row of a file of answers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...data.record import Record
from ...tasks.answer import Answer
from ...tasks.predictions import as_given

#: How the line of a row ends that has an answer.
_NO_ERROR = '"error": null}'


@dataclass(frozen=True)
class AnsweredRow:
    """What was asked and answered. The fields are the columns of the file.

    Attributes:
        id: of the record; ``None``: it has none.
        image: the first image as its row names it; ``None``: there is none.
        images: all images, where there are several.
        question: the text; of a conversation, what the user says last.
        answer: the best one; ``None``: there is an error.
        probability, score: of the best answer; ``None``: the task has none.
        cut: whether a written answer had no end; ``None``: it had, or the model chooses.
        further: the next best answers, as mappings from ``answer``, ``probability`` and ``score``.
        error: why there is no answer.
    """

    id: str | None = None
    image: str | None = None
    images: list[str] | None = None
    question: str | None = None
    answer: str | float | None = None
    probability: float | None = None
    score: float | None = None
    cut: bool | None = None
    further: list[dict[str, Any]] | None = None
    error: str | None = None

    @classmethod
    def of(cls, record: Record, answers: Sequence[Answer], error: str | None, images: Path | None) -> AnsweredRow:
        """The row of a record.

        Args:
            record: that was asked.
            answers: best first.
            error: why there is none.
            images: the folder that the rows' images are relative to.
        """
        names = [printable(as_given(picture, images)) for picture in record.images]
        asked: dict[str, Any] = {
            "id": record.id or None,
            "image": next(iter(names), None),
            "images": names if len(names) > 1 else None,
            "question": record.question or None,
        }
        if error is None and not all(map(_is_finite, answers)):
            error = "the model computes no numbers for it (NaN or infinity)"
        if error is not None or not answers:
            return cls(**asked, error=printable(error or "the model gives no answer"))
        best, *others = answers
        further = [{"answer": each.answer, "probability": each.probability, "score": each.score} for each in others]
        return cls(**asked, **best.to_dict(), further=further or None)

    @classmethod
    def of_bad(cls, problem: str) -> AnsweredRow:
        """The row of one that is no record."""
        return cls(error=printable(problem))

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), allow_nan=False)


def text_of_rows(rows: Iterable[AnsweredRow]) -> str:
    """The lines of a part's file."""
    return "".join(f"{row.to_json()}\n" for row in rows)


def printable(text: str) -> str:
    """A text that UTF-8 can write: names of files may hold other bytes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _is_finite(answer: Answer) -> bool:
    values = (answer.answer, answer.probability, answer.score)
    return all(math.isfinite(value) for value in values if isinstance(value, float))


def is_error(line: str) -> bool:
    """Whether a line of JSON is of a row with an error, the last of its fields."""
    return not line.endswith(_NO_ERROR)
