"""From what a visitor or a client sends to answers."""

from __future__ import annotations

from typing import Any

from ..answering.asking import Question, lines
from ..answering.picture_limits import PictureLimits
from ..core.errors import InputError
from .uploads import uploaded_picture

#: Characters of a text at most: no model reads more.
LONGEST_TEXT = 10_000


def question(picture: Any, text: Any, picture2: Any, options: Any, limits: PictureLimits) -> Question:
    """The question, checked.

    Raises:
        InputError: a picture that was not uploaded, is too large or none, or a text that is none or too long.
    """
    return Question(
        uploaded_picture(picture, limits),
        _text(text, "text"),
        uploaded_picture(picture2, limits),
        tuple(dict.fromkeys(lines(_text(options, "options")))),
    )


def _text(given: Any, name: str) -> str:
    if given is None:
        return ""
    if not isinstance(given, str):
        raise InputError(f"{name}: {type(given).__name__} given; expected a text")
    if len(given) > LONGEST_TEXT:
        raise InputError(f"{name}: {len(given):,} characters; at most {LONGEST_TEXT:,} are read")
    return given
