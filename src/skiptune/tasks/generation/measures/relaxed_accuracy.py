"""Relaxed accuracy of numbers (Masry et al., "ChartQA", Findings of ACL 2022)."""

from __future__ import annotations

import math

from ....data.record import Record
from .accepted import accepted_answers
from .exact_match import compared

#: A number may differ from the right one by this share of it.
TOLERANCE = 0.05


def relaxed_accuracy(answer: str, record: Record) -> float:
    """1 for a number that differs from a right one by at most 5 % of it, or for a text that is a right one."""
    return float(any(_agree(answer, right) for right in accepted_answers(record)))


def has_number(record: Record) -> bool:
    """Whether a right answer is a number."""
    return any(number_in(right) is not None for right in accepted_answers(record))


def number_in(text: str) -> float | None:
    """The number that a text is; ``12%`` is 0.12, and commas between digits do not count. ``None``: it is none."""
    plain = text.strip().removesuffix(".").replace(",", "")
    try:
        number = float(plain.removesuffix("%")) / (100 if plain.endswith("%") else 1)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _agree(answer: str, right: str) -> bool:
    said, wanted = number_in(answer), number_in(right)
    if said is None or wanted is None:
        return compared(answer) == compared(right)
    return abs(said - wanted) <= TOLERANCE * abs(wanted)
