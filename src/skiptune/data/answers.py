"""The rules of VQA: normalised answers, soft scores as training targets, the official accuracy, the answer vocabulary.

The rules are those of the official evaluation (Antol et al., "VQA: Visual Question Answering", ICCV 2015, and
https://visualqa.org/evaluation.html), including behaviour that is not in its description, so that numbers agree.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ..core.errors import InputError
from ..core.shown import shown

#: An answer is in the vocabulary if it is the most common one of at least this many questions.
LEAST_COUNT = 9
_LEFT_OUT_ANNOTATORS = 3

#: From here on floats leave out whole numbers.
_EXACT = 2.0**53

_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_COMMA_IN_NUMBER = re.compile(r"\d,\d")
_PERIOD = re.compile(r"\.(?!\d)")
#: The official evaluation passes a regular-expression flag as the largest number of periods to remove.
_MOST_PERIODS = 32

_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_WORDS = {"none": "0", **{word: str(number) for number, word in enumerate(_NUMBERS)}}
_ARTICLES = {"a", "an", "the"}

# Words whose only apostrophe is often missing, and words with several of which one is often missing.
_CONTRACTIONS = """
ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's how'd how'll how's isn't it'd
it'll ma'am mightn't might've mustn't must've needn't not've o'clock oughtn't shan't should've shouldn't somebody'll
somebody's someone'd someone'll someone's something'd something'll that's there'd there're there's they'd they'll
they're they've 'twas wasn't we've weren't what'll what're what's what've when's where'd where's where've who'd who'll
who's who've why'll why're why's won't would've wouldn't y'all you'd you'll you're you've
"""
_DOUBLE_CONTRACTIONS = """
couldn't've hadn't've he'd've it'd've mightn't've 'ow's'at she'd've shouldn't've somebody'd've someone'd've
something'd've there'd've they'd've we'd've who'd've wouldn't've y'all'll y'all'd've you'd've
"""


def _apostrophes() -> dict[str, str]:
    """Each misspelling with its contraction."""
    table = {word.replace("'", ""): word for word in _CONTRACTIONS.split()}
    for word in _DOUBLE_CONTRACTIONS.split():
        places = [place for place, character in enumerate(word) if character == "'"]
        table |= {word[:place] + word[place + 1 :]: word for place in places}
    table["somebody'd"] = "somebodyd"  # the official evaluation has these the wrong way round, too
    return table


_APOSTROPHES = _apostrophes()


def answer_text(value: Any, name: str = "answer") -> str:
    """An answer as it is kept: a text without white space around it; a number in its shortest form, 2.0 as ``"2"``.

    Raises:
        InputError: blank, no finite number, or neither text nor number.
    """
    if isinstance(value, str) and value.strip():
        return value.strip()
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, float) and math.isfinite(value):
            return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
    except ValueError:  # Python refuses to write thousands of digits
        pass
    raise InputError(f"{name}: {shown(value)} is neither a text nor a finite number")


def normalise_answer(answer: str) -> str:
    """An answer as the official evaluation compares it: ``"The  two dogs."`` → ``"2 dogs"``.

    In this order: a punctuation mark is removed where it touches a space anywhere in the answer, or when the answer has
    a comma between digits, and is otherwise replaced by a space; periods are removed unless a digit follows; lower
    case; number words to digits; articles are removed; missing apostrophes are added. Apostrophes and colons are kept.
    """
    text = answer.replace("\n", " ").replace("\t", " ").strip()
    number = _COMMA_IN_NUMBER.search(text) is not None
    cleaned = text
    for mark in _PUNCTUATION:
        if mark in text:
            touches = number or f"{mark} " in text or f" {mark}" in text
            cleaned = cleaned.replace(mark, "" if touches else " ")
    cleaned = _PERIOD.sub("", cleaned, count=_MOST_PERIODS)
    words = (_WORDS.get(word, word) for word in cleaned.lower().split())
    return " ".join(_APOSTROPHES.get(word, word) for word in words if word not in _ARTICLES)


def official_accuracy(answer: str, given: Sequence[str]) -> float:
    """The official accuracy of an answer, in [0, 1], from the answers of (usually ten) annotators.

    For each annotator, the others are counted: a third of a point for each who gave the same answer, at most one point.
    The result is the mean over the annotators. Answers are normalised only when the annotators do not all say the same.

    Raises:
        InputError: no annotator.
    """
    if not given:
        raise InputError("given: no annotator's answer to compare with")
    said = [text.replace("\n", " ").replace("\t", " ").strip() for text in given]
    answer = answer.replace("\n", " ").replace("\t", " ").strip()
    if len(set(said)) > 1:
        said, answer = [normalise_answer(text) for text in said], normalise_answer(answer)
    agree = said.count(answer)
    # without one of those who agree there is one less; without another annotator there are as many
    without_agreeing = min(1.0, (agree - 1) / _LEFT_OUT_ANNOTATORS) if agree else 0.0
    without_other = min(1.0, agree / _LEFT_OUT_ANNOTATORS)
    return (agree * without_agreeing + (len(said) - agree) * without_other) / len(said)


def soft_scores(given: Iterable[str]) -> dict[str, float]:
    """Training targets: 0.3, 0.6, 0.9 for an answer given once, twice, three times, and 1 for more.

    Answers are counted as they were written, as in the released preprocessing of ViLT and METER, but without white
    space around them, as in the official evaluation, and without blank ones. The vocabulary, which is normalised,
    decides which of them count.
    """
    scores = (0.0, 0.3, 0.6, 0.9, 1.0)
    counts = Counter(answer.strip() for answer in given)
    return {answer: scores[min(count, 4)] for answer, count in counts.items() if answer}


def answer_vocabulary(majorities: Iterable[str], least: int = LEAST_COUNT) -> list[str]:
    """Answers that are, normalised, the most common one of at least ``least`` questions.

    In the order of first appearance: over training and then validation questions these are the 3,129 labels, in order,
    of the released question-answering heads.

    Raises:
        InputError: no answer is that common.
    """
    written = Counter(majorities)
    counts: Counter[str] = Counter()
    for answer, count in written.items():
        counts[normalise_answer(answer)] += count
    found = [answer for answer, count in counts.items() if count >= least]
    if not found:
        raise InputError(f"no answer is the most common one of {least} questions; lower the least count")
    return found
