"""Limits of the values that a JSON or YAML file may hold, so that nothing later fails on them or takes for ever."""

from __future__ import annotations

from collections.abc import Iterator

from .errors import InputError

#: Lists and mappings inside each other; Python itself gives up at about a thousand.
DEEPEST = 64
#: Digits of a whole number; no float is longer, and Python refuses to read several thousand.
LONGEST_NUMBER = 300
_KINDS = (str, int, float, bool, dict, list, type(None))


def refuse_unusable(value: object, subject: str, most: int | None = None) -> None:
    """Refuse values that JSON does not have, or that later steps could not handle.

    Args:
        value: as a parser gives it; parts may occur several times, or contain themselves.
        subject: what the message begins with, e.g. the file's name.
        most: values there may be, where parts that occur several times count each time; ``None``: any number.

    Raises:
        InputError: too many values, too deeply nested, a kind that JSON does not have, or a text that is no Unicode.
    """
    seen = 0
    waiting: list[tuple[str, object, int]] = [("", value, 0)]
    while waiting:
        path, value, depth = waiting.pop()
        seen += 1
        if most is not None and seen > most:
            raise InputError(f"{subject}: more than {most:,} values; do its aliases (*name) repeat each other?")
        where = f"{path}: " if path else ""
        if not isinstance(value, _KINDS):
            raise InputError(f"{subject}: {where}a {type(value).__name__} cannot be used here; write it as a text")
        if isinstance(value, str) and not _is_unicode(value):
            raise InputError(f"{subject}: {where}{value!r} holds half a character (a lone surrogate); edited?")
        if isinstance(value, dict | list):
            if depth == DEEPEST:
                raise InputError(f"{subject}: lists and mappings are more than {DEEPEST} deep inside each other")
            waiting += ((entry, inner, depth + 1) for entry, inner in _parts(path, value))


def whole_number(text: str) -> int:
    """The number that ``text`` writes in decimal.

    Raises:
        ValueError: it is no whole number, or one of more than :data:`LONGEST_NUMBER` digits.
    """
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(text):,} characters; at most {LONGEST_NUMBER} are read")
    return int(text)


def _parts(path: str, value: dict[object, object] | list[object]) -> Iterator[tuple[str, object]]:
    """What is directly inside, each with its path: entries of a list have the list's own."""
    if isinstance(value, list):
        yield from ((path, entry) for entry in value)
        return
    for key, inner in value.items():
        if isinstance(key, str):
            yield path, key
        yield f"{path}.{key}" if path else str(key), inner


def _is_unicode(text: str) -> bool:
    """Whether a text has whole characters only. What Python makes of a file name's bytes that are not UTF-8 passes."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True
