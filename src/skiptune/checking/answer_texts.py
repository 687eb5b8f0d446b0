"""Answers that a conversion spoilt, or that were never meant to be learnt: ``nan``, Python values, HTML, refusals."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from .said import shortened

#: What tables and programs write where there is no value. ``none`` is the right answer to many questions.
_NO_VALUE = re.compile(
    r"nan|NaN|NAN|None|null|NULL|<NA>|N/A|n/a|#N/A|undefined|\[\]|\{\}|TODO|\[?(?:deleted|removed)\]"
)
#: A list, a mapping or bytes as Python writes them, and HTML.
_VALUE = re.compile(
    r"""\[\s*(['"]).*\1\s*\]|\{\s*(['"]).*\}|b(['"]).*\3|<class '.*'>|<[\w.]+ object at 0x.*>""", re.DOTALL
)
_HTML = re.compile(
    r"&(?:amp|lt|gt|quot|apos|nbsp|#\d{2,6}|#x[0-9a-fA-F]{2,5});|</?(?:br|p|div|span|b|i|a|ul|li)\b[^<>]*>"
)
#: How turns are written in plain texts; in one answer they are another conversation's rest.
_TURNS = re.compile(
    r"(?:^|\s)(?:###\s*(?:Human|Assistant|User|Instruction|Response|Input)|(?:USER|ASSISTANT|HUMAN)\b):?"
)
#: What assistants say that were not given the image.
_REFUSAL = re.compile(
    r"\bas an? (?:\w+ )?(?:AI|language model)\b"
    r"|\b(?:sorry|unfortunately|apologi[sz]e)\b.{0,60}\b(?:can(?:no|')t|unable)"
    r"|\b(?:can(?:no|')t|unable to) (?:see|view|access|open|process) (?:the |this |any |your )?(?:image|picture|photo)",
    re.IGNORECASE | re.DOTALL,
)


def answer_problems(answer: str) -> Iterator[tuple[str, str]]:
    """Kind and words of each problem of an answer, ``answer`` as it is learnt."""
    text = answer.strip()
    if text and not _visible(text):
        yield "empty_answer", f"{answer!r} has no visible character"
    elif _NO_VALUE.fullmatch(text):
        yield "no_value", f"the answer is {text!r}"
    elif text and all(unicodedata.category(letter)[0] == "P" for letter in text):
        yield "no_value", f"the answer {text!r} has no word"
    if _VALUE.fullmatch(text):
        yield "written_value", f"{shortened(text)!r} is a value as Python writes it"
    elif found := _HTML.search(text):
        yield "written_value", f"{found[0]} in {shortened(text)!r}"
    if found := _TURNS.search(text):
        yield "several_turns", f"{found[0].strip()!r} in {shortened(text)!r}"
    if found := _REFUSAL.search(text):
        yield "refusal", shortened(text)


def _visible(text: str) -> bool:
    """Whether something in a text can be seen: neither white space nor a format or control character."""
    return any(unicodedata.category(letter)[0] not in "CZ" for letter in text)
