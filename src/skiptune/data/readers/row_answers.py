"""The answers of a row, and the texts to choose from where it has several choices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ...core.errors import InputError
from ...core.shown import shown
from ..answers import answer_text
from .collecting import Row
from .json_text import parse

_SOFT_SCORE = 0.3
#: From this count on an answer scores 1.
_MOST = 4
#: Columns of tables that have a choice each.
LETTERS = "ABCDEFGH"
_LISTS = ("options", "choices")


def answers_of(row: Row, required: bool = False) -> tuple[dict[str, float], tuple[str, ...]]:
    """Accepted answers of a row with their scores, ``min(1, 0.3 · count)`` and 1 for a single answer; and the list that
    annotators gave, if it is one.

    Raises:
        InputError: ``answer`` or ``answers`` holds something else, the one is not among the others, or none is there
            though one is ``required``.
    """
    several = row.get("answers")
    if isinstance(several, list):
        given = tuple(answer_text(answer, "answers") for answer in several)
        counts: Counter[str] = Counter(given)
    elif several is None or isinstance(several, dict):
        given, counts = (), _added((several or {}).items())
    else:
        raise InputError(f"answers: {shown(several)} is neither a list nor a mapping from answer to count")
    scores = {answer: min(1.0, _SOFT_SCORE * min(count, _MOST)) for answer, count in counts.items()}
    if row.get("answer") is None:
        if required and not scores:
            raise InputError("answer: missing (or give answers, a list or a mapping from answer to count)")
        return scores, given
    single = answer_text(row["answer"])
    if scores and single not in scores:
        raise InputError(f"answer: {shown(single)} is not among answers, {shown(list(scores))}; which is right?")
    return {**scores, single: 1.0}, given


def _added(counts: Iterable[tuple[str, Any]]) -> Counter[str]:
    """Counts by answer; those of answers that differ in white space around them add up."""
    found: Counter[str] = Counter()
    for answer, count in counts:
        if isinstance(count, bool) or not isinstance(count, int | float) or not 0 < count < float("inf"):
            raise InputError(f"answers: {shown(answer)}: {shown(count)} is not one of counts above 0")
        found[answer_text(answer, "answers")] += min(count, _MOST)  # type: ignore[assignment]
    return found


def options_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The choices of a row by letter, as it has them: a list or a mapping in ``options`` or ``choices``, or columns
    ``A``, ``B``, …; empty if there are none.

    Raises:
        InputError: one choice only, or a field holds something else.
    """
    name = next((name for name in _LISTS if row.get(name) is not None), "")
    given: Any = row.get(name)
    if isinstance(given, str) and given.lstrip()[:1] in ("[", "{"):
        given = parse(given)
    if not name:
        found = {letter: row[letter] for letter in LETTERS if row.get(letter) is not None}
        if not {"A", "B"} <= found.keys():
            return {}
    elif isinstance(given, Mapping):
        found = {str(letter): text for letter, text in given.items() if text is not None}
    elif isinstance(given, list | tuple):
        found = {_letter(number): text for number, text in enumerate(given)}
    else:
        raise InputError(f"{name}: {shown(given)} is neither a list of choices nor a mapping from letters to them")
    if len(found) == 0 and not len(given or ()):
        return {}
    if len(found) < 2:
        raise InputError(f"{name or 'A'}: {shown(given)} holds one choice; give several")
    return found


def chosen(answer: Any, options: Mapping[str, Any]) -> str:
    """The text of the choice that an answer names by its text, its letter or its number, counted from 0.

    A whole number names the choice at that place unless choices are numbers themselves; a text names the choice with
    that text first.

    Raises:
        InputError: it names none of them.
    """
    texts = {letter: answer_text(text, f"options: {letter}") for letter, text in options.items()}
    of_numbers = any(isinstance(text, int | float) for text in options.values())
    if isinstance(answer, int) and not isinstance(answer, bool) and not of_numbers:
        if 0 <= answer < len(texts):
            return list(texts.values())[answer]
        raise InputError(f"answer: {answer} is no place among {len(texts)} choices, counted from 0")
    said = answer_text(answer)
    if said in texts.values():
        return said
    letter = said.strip("().: ").upper()
    by_letter = {name.upper(): text for name, text in texts.items()}
    if letter in by_letter:
        return by_letter[letter]
    if said.isascii() and said.isdigit() and int(said) < len(texts):
        return list(texts.values())[int(said)]
    raise InputError(
        f"answer: {shown(answer)} is none of the choices {shown(list(texts.values()))}, nor a letter of one"
    )


def _letter(number: int) -> str:
    return chr(ord("A") + number) if number < 26 else str(number)
