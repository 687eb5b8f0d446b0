"""Images that turn out to be unreadable in the middle of a run: replaced, counted, named, and refused when too many."""

from __future__ import annotations

import os
from pathlib import Path

from ..core.errors import InputError
from .readers.collecting import MOST_BAD

#: So many images are looked at before the share of damaged ones means something.
_ENOUGH = 1000


class Damaged:
    """Counts damaged images in this process; the log gathers those of all processes.

    A whole run must not end because one file of a hundred thousand is cut off, and leaving a record out would make
    batches uneven: an image of the mean colour stands in (zeros to the model), and its record keeps its place.

    Args:
        log: file to which each process appends a line for each damaged image it meets.
        most_bad: the share of decoded images above which the run is refused.
    """

    def __init__(self, log: str | Path, most_bad: float = MOST_BAD) -> None:
        self.log = Path(log)
        self.most_bad = most_bad
        self._looked_at = 0
        self._named: set[str] = set()

    def good(self) -> None:
        """An image could be read."""
        self._looked_at += 1

    def add(self, problem: str) -> None:
        """An image could not be read.

        Raises:
            InputError: now too many could not.
        """
        self._looked_at += 1
        if problem in self._named:
            return
        self._named.add(problem)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(handle, f"{problem}\n".encode())  # one write: lines of several processes do not mix
        finally:
            os.close(handle)
        if len(self._named) > self.most_bad * max(self._looked_at, _ENOUGH):
            raise InputError(
                f"{len(self._named)} of {self._looked_at} images cannot be read, more than {self.most_bad:.1%}; "
                f"all are named in {self.log}. The last: {problem}"
            )

    def problems(self) -> list[str]:
        """What is wrong with the damaged images of all processes, each once."""
        if not self.log.exists():
            return []
        return sorted(set(self.log.read_text(encoding="utf-8").splitlines()))
