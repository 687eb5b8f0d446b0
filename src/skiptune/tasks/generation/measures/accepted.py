"""The right answers of a record of generation."""

from __future__ import annotations

from ....data.record import Record
from ..thoughts import without_thoughts


def accepted_answers(record: Record) -> dict[str, float]:
    """Right answers with their scores in (0, 1]: of a conversation its last turn, without thoughts, with score 1, and
    those given beside it; else the answers, or else every caption, with score 1. Empty: none is known."""
    if record.turns:
        last = record.turns[-1]
        return {**record.answers, **({without_thoughts(last.text).strip(): 1.0} if last.role == "assistant" else {})}
    return dict(record.answers) or dict.fromkeys(record.captions, 1.0)
