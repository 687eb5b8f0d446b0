"""Images that cannot be read during a run: they are replaced, counted and named; too many of them stop the run."""

from __future__ import annotations

import os
from pathlib import Path

from ..core.errors import InputError

#: Largest share of bad rows. With more of them, the file is probably the wrong one.
MOST_BAD = 0.01
#: Number of images to read before the share of damaged ones is judged.
_ENOUGH = 1000


class Damaged:
    """Counts damaged images in this process; the log gathers those of all processes.

    One truncated file of a hundred thousand must not end a run, and leaving its record out would make batches uneven.
    So an image of the mean colour (zeros for the model) replaces it, and the record stays.

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
            InputError: too many images could not be read.
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
        """The problems of damaged images in all processes, each once."""
        if not self.log.exists():
            return []
        return sorted(set(self.log.read_text(encoding="utf-8").splitlines()))
