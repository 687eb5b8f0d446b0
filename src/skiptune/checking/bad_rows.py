"""The kinds of rows that readers leave out, told by what the readers say of them."""

from __future__ import annotations

import re

#: What a message holds → its kind; the first that fits counts.
_PATTERNS: tuple[tuple[str, str], ...] = (
    (r"no such file|not a file\b", "missing_image"),
    (r"\bimage\d?: (None|missing|'' is not)", "missing_image"),
    (r"empty file|cannot be read|is no image|is an address|no bytes there|damaged Base64", "unreadable_image"),
    (r"at most [\d,]+ are decoded", "too_many_pixels"),
    (r"UTF-8", "not_utf8"),
    (r"not valid JSON|longer than [\d,]+ characters", "bad_json"),
    (r"places? (for|\()|<image>|null among the images", "placeholder_mismatch"),
    (r"answer is blank|is an answer and has|holds a blank text", "empty_answer"),
    (r"^(answers?|response|output|completion): (None|nan|'(\\[ntr]|\s)*') is ", "empty_answer"),
    (r"is no role|is a tool's turn|\brole: ", "unknown_role"),
    (r"alternate|only the first may be|no turn is the user's", "turn_order"),
    (r"an answer is missing|(answer|label|value): missing", "no_answer"),
    (r"none of the choices|among \d+ choices|one choice|options|choices", "answer_not_in_options"),
    (r"is empty|question: (missing|'')", "empty_text"),
)
_COMPILED = tuple((re.compile(pattern), kind) for pattern, kind in _PATTERNS)


def kind_of(message: str) -> str:
    """The kind of a bad row, of what its reader says."""
    return next((kind for pattern, kind in _COMPILED if pattern.search(message)), "bad_row")
