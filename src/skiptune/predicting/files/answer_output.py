"""A file of answers: where it goes, and what it is when it is there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...core.errors import InputError

#: The formats, by the ending of a file's name.
ENDINGS = (".jsonl", ".csv", ".parquet")


@dataclass(frozen=True)
class AnswerOutput:
    """Where answers go.

    Attributes:
        path: the file, which ends in ``.jsonl``, ``.csv`` or ``.parquet``.
        most_bad: share of rows with an error above which to stop; ``None``: none stops.
        force: drop a file, or parts of one, that are there.
    """

    path: Path
    most_bad: float | None = None
    force: bool = False

    def __post_init__(self) -> None:
        ending_of(self.path)
        if self.most_bad is not None and not 0 <= self.most_bad <= 1:
            raise InputError(f"most_bad: {self.most_bad} is not a share between 0 and 1")


@dataclass(frozen=True)
class AnswerFile:
    """A file of answers.

    Attributes:
        path: the file.
        rows: in it.
        errors: how many of them have an error instead of an answer.
        problems: the first of these errors.
    """

    path: Path
    rows: int
    errors: int
    problems: tuple[str, ...]


def ending_of(path: Path) -> str:
    """The ending that says the format of a file.

    Raises:
        InputError: it says none.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise InputError(f"output: {path}: its ending says no format; name a file that ends in {', '.join(ENDINGS)}")
    return ending
