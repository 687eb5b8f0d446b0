"""Average normalised Levenshtein similarity (Biten et al., "Scene Text Visual Question Answering", ICCV 2019)."""

from __future__ import annotations

from ....data.record import Record
from .accepted import accepted_answers

#: An answer of which this share or more must be changed has no similarity: it is another one, not misread.
THRESHOLD = 0.5


def anls(answer: str, record: Record) -> float:
    """The highest similarity to a right answer: ``1 − NL`` if ``NL < 0.5``, else 0, where ``NL`` is the least number of
    characters to insert, delete or replace, divided by the length of the longer text.

    Case, white space around a text, and how wide that between words is, do not count, as in the official evaluation.
    """
    return max((_similarity(_plain(answer), _plain(right)) for right in accepted_answers(record)), default=0.0)


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def _similarity(one: str, other: str) -> float:
    longer = max(len(one), len(other))
    if longer == 0:
        return 1.0
    if abs(len(one) - len(other)) >= THRESHOLD * longer:
        return 0.0
    similarity = 1 - distance(one, other) / longer
    return similarity if similarity > 1 - THRESHOLD else 0.0


def distance(one: str, other: str) -> int:
    """Levenshtein's distance: the least number of characters to insert, delete or replace."""
    above = list(range(len(other) + 1))
    for row, character in enumerate(one, start=1):
        current = [row]
        for column, against in enumerate(other, start=1):
            current.append(min(above[column] + 1, current[-1] + 1, above[column - 1] + (character != against)))
        above = current
    return above[-1]
