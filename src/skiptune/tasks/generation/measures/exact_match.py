"""Exact match: 1 for a right answer, else 0."""

from __future__ import annotations

import unicodedata

from ....data.record import Record
from .accepted import accepted_answers


def exact_match(answer: str, record: Record) -> float:
    """1 if an answer is one of the right ones, whatever their scores; compared as :func:`compared` writes them."""
    return float(compared(answer) in map(compared, accepted_answers(record)))


def compared(answer: str) -> str:
    """A text without what makes no difference: case, white space around it, how wide that between words is, a period at
    its end, and how accents are encoded (Unicode's form C). Articles, other marks and number words do count."""
    text = " ".join(unicodedata.normalize("NFC", answer).casefold().split())
    return text[:-1].rstrip() or text if text.endswith(".") else text
