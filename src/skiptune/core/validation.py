"""Collecting every problem of an input before refusing it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from .errors import InputError

#: What each problem begins with.
_START = "\n  - "


class Problems:
    """A list of what is wrong, raised together at the end."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.found: list[str] = []

    def add(self, text: str) -> None:
        self.found.append(text)

    def check(self, ok: bool, text: str) -> None:
        if not ok:
            self.add(text)

    def error(self) -> InputError:
        """An error that names all problems; further lines of a problem are indented below its first."""
        lines = (_START + text.replace("\n", "\n  ") for text in self.found)
        return InputError(f"{self.subject}:{''.join(lines)}")

    def raise_any(self) -> None:
        """Raise :class:`InputError` naming all problems, if there are any."""
        if self.found:
            raise self.error()


def problem_lines(error: Exception) -> list[str]:
    """The problems that an error of :class:`Problems` names; the message of any other error."""
    first, *problems = str(error).split(_START)
    return [problem.replace("\n  ", "\n") for problem in problems] or first.splitlines()[:1] or [""]


def nearest(name: str, valid: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the valid name closest to ``name``, or the list of valid names.

    The beginning of a name (``adam`` of ``adamw_torch``) means the first such name.
    """
    options = [str(option) for option in valid]
    begun = [option for option in options if len(str(name)) > 2 and option.startswith(str(name).lower())]
    close = begun or difflib.get_close_matches(str(name), options, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else f"; valid: {', '.join(options)}"


def shortened(text: str) -> str:
    """``text`` as a message quotes it: of a long one the beginning."""
    return text if len(text) <= 200 else f"{text[:200]}…"


def is_text(value: object) -> bool:
    """Whether ``value`` is a text that can name something; YAML can write a NUL, which no path holds."""
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


#: The largest count or size that libraries accept.
LARGEST = 2**31 - 1
#: Records in a batch at most: more fit into no memory.
LARGEST_BATCH = 2**16


def is_number(value: object, low: float, high: float = float("inf"), whole: bool = False) -> bool:
    """Whether ``value`` is a real (or whole) number in ``[low, high]``; booleans, strings and infinity are not."""
    kinds = int if whole else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= min(high, LARGEST)
