"""What a record asks and what it answers, whatever its task."""

from __future__ import annotations

from dataclasses import dataclass

from ..data.record import Record
from ..tasks.generation.conversation import question_of


@dataclass(frozen=True)
class Said:
    """The texts of a record.

    Attributes:
        asked: what a model reads.
        answers: what it learns to say.
        question: what the last answer is given to.
    """

    asked: tuple[str, ...]
    answers: tuple[str, ...]
    question: str

    @property
    def texts(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.asked, *self.answers)


def said_by(record: Record) -> Said:
    """The texts of ``record``: of its turns, or of its question, answers, captions and labels."""
    if record.turns:
        asked = tuple(turn.text for turn in record.turns if turn.role != "assistant")
        answers = tuple(turn.text for turn in record.turns if turn.role == "assistant")
        before = question_of(record.turns)
        return Said(asked, answers, before[-1].text if before else "")
    answers = (*record.answers, *record.captions, *(record.labels or ()))
    if record.label is not None:
        answers = (*answers, str(record.label))
    if record.value is not None:
        answers = (*answers, f"{record.value:g}")
    return Said((record.text,) if record.text else (), answers, record.text)


def context_of(record: Record) -> object:
    """All that stands before the last answer; equal contexts should have equal answers."""
    return question_of(record.turns) if record.turns else record.text


def shortened(text: str, most: int = 80) -> str:
    """A text on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
