"""How long models take to answer: one question says little, so the median of the last ones is shown beside it."""

from __future__ import annotations

from collections import defaultdict, deque
from statistics import median

from ..core.formatting import duration, milliseconds

#: Questions that the median is taken of, and the fewest that it is shown of.
_LAST, _FEWEST = 100, 3


class Times:
    """Seconds of the last questions by model."""

    def __init__(self) -> None:
        self._seconds: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_LAST))

    def told(self, model: str, seconds: float) -> str:
        """The time of a question, which counts from now on, and the median of the last ones."""
        known = self._seconds[model]
        known.append(seconds)
        if len(known) < _FEWEST:
            return f"answered in {_elapsed(seconds)}"
        return f"answered in {_elapsed(seconds)}; median of {len(known)} questions: {_elapsed(median(known))}"


def _elapsed(seconds: float) -> str:
    return milliseconds(seconds) if seconds < 1 else duration(seconds)
