"""Images that cannot be read during a run or an evaluation: they are replaced, counted and named; too many of them stop
it."""

from __future__ import annotations

import os
from pathlib import Path

from ..core.errors import InputError
from ..core.files import telling_of

#: Largest share of bad rows. With more of them, the file is probably the wrong one.
MOST_BAD = 0.01
#: Of few images so many may be damaged where no share is set, and never more than this share.
_ALWAYS, _NEVER_MORE = 10, 0.2
#: Between the problem of an image and the place of the first record that needed it.
_NEEDED = "; needed by "


class Damaged:
    """Damaged images of a run in all its processes, or of an evaluation.

    One truncated file of a hundred thousand must not end a run, and leaving its record out would make batches uneven.
    So an image of the mean colour (zeros for the model) replaces it, and the record stays.

    Args:
        images: how many there are, good and damaged.
        most_bad: the share of damaged ones above which to stop; ``None``: 1 %, but up to ten where there are few, and
            never more than a fifth.
        log: file to which each process appends a line for each damaged image it meets; ``None``: there is one process,
            and none is needed.
    """

    def __init__(self, images: int, most_bad: float | None = None, log: str | Path | None = None) -> None:
        self.images = images
        self.log = None if log is None else Path(log)
        usual = max(MOST_BAD * images, min(_ALWAYS, _NEVER_MORE * images))
        self.most = int((usual if most_bad is None else most_bad * images) + 1e-9)  # 0.07 · 100 is 7.000000000000001
        self._named: dict[str, str] = {}
        self._start = self.log.stat().st_size if self.log is not None and self.log.exists() else 0

    def add(self, problem: str, place: str = "") -> None:
        """An image could not be read; ``place`` is that of the record that needs it.

        Raises:
            InputError: too many images could not be read.
        """
        if problem in self._named:
            return
        self._named[problem] = place
        if self.log is not None:
            _append(self.log, _line(problem, place))
        count = len(self._problems(self._start))
        if count > self.most:
            told = "" if self.log is None else f" (all are named in {self.log})"
            raise InputError(
                f"{count} of {self.images} images cannot be read{told}; at most {self.most} may be damaged. "
                f"The last: {_line(problem, place)}"
            )

    def problems(self) -> list[str]:
        """The problems of damaged images in all processes, each once, with a record that needs the image."""
        return self._problems(0)

    def _problems(self, start: int) -> list[str]:
        if self.log is None or not self.log.exists():
            return [_line(problem, place) for problem, place in self._named.items()]
        with self.log.open("rb") as file:
            file.seek(start)
            lines = file.read().decode("utf-8", "surrogateescape").split("\n")
        by_problem = {line.partition(_NEEDED)[0]: line for line in reversed(lines) if line}
        return sorted(by_problem.values())


def _line(problem: str, place: str) -> str:
    return (f"{problem}{_NEEDED}{place}" if place else problem).replace("\n", " ")


def _append(log: Path, line: str) -> None:
    with telling_of(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(handle, f"{line}\n".encode("utf-8", "surrogateescape"))  # one write: lines of processes do not mix
        finally:
            os.close(handle)
