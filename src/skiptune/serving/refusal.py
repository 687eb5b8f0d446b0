"""What a request is answered with that is not taken: a status and one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.validation import problem_lines

if TYPE_CHECKING:
    from starlette.responses import JSONResponse

#: Seconds after which a client may come again.
_AGAIN = "1"
BUSY, LATE = 503, 504


class RefusedError(Exception):
    """A request that is not taken.

    Attributes:
        status: of HTTP.
        sentence: for the one who asks.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


def refused(status: int, sentence: str) -> JSONResponse:
    """The response: JSON with ``error``. Of a body that is too large no more is read: the connection ends."""
    from starlette.responses import JSONResponse

    headers = {"retry-after": _AGAIN} if status == BUSY else {}
    if status == 413:
        headers["connection"] = "close"
    return JSONResponse({"error": sentence}, status, headers)


def sentence_of(error: Exception) -> str:
    """All that an error names, on one line."""
    return "; ".join(" ".join(line.split()) for line in problem_lines(error))
