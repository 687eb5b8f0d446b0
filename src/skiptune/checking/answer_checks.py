"""The answers of a part together: one for nearly all rows, and far longer ones than the others."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import median

from ..data.record import Record
from .finding import Findings
from .said import Said, shortened

#: The share of rows with one answer from which on there is little to learn, and the fewest rows that tell.
_NEARLY_ALL, _FEWEST = 0.9, 10
#: Characters from which on an answer may be far too long, and how many times the median and what nine of ten have.
_LONG, _TIMES_MEDIAN, _TIMES_MOST = 200, 10, 3
#: Answers that a summary names.
_NAMED = 5


@dataclass(frozen=True)
class AnswerSummary:
    """The answers of a part.

    Attributes:
        different: how many different ones there are.
        most_frequent: those that most rows have, with their share of the rows.
        median_characters: of an answer.
        longest_characters: of the longest one.
    """

    different: int
    most_frequent: tuple[tuple[str, float], ...]
    median_characters: float
    longest_characters: int


class Answers:
    """Collects the answers of one part."""

    def __init__(self, part: str) -> None:
        self.part = part
        self.known: Counter[str] = Counter()
        self.labels: dict[str, str] = {}
        self._lengths: list[tuple[int, str, str]] = []

    def add(self, place: str, record: Record, said: Said) -> None:
        """Those of a row. Of several the last turn's, or the best."""
        if not said.answers or record.value is not None:
            return
        best = said.answers[-1] if record.turns else max(record.answers, key=record.answers.__getitem__, default="")
        self.known[(best or said.answers[0]).strip()] += 1
        if record.label is not None:
            self.labels.setdefault(str(record.label), place)
        for label in record.labels or ():
            self.labels.setdefault(label, place)
        longest = max(said.answers, key=len)
        self._lengths.append((len(longest), place, longest))

    def finish(self, findings: Findings) -> AnswerSummary | None:
        """Tell what is unusual, and sum up; ``None``: no answer is known."""
        rows = self.known.total()
        if not rows:
            return None
        (answer, count), *_ = self.known.most_common(1)
        if rows >= _FEWEST and count >= _NEARLY_ALL * rows:
            told = f"{count:,} of {rows:,} rows have the answer {shortened(answer)!r}"
            findings.add("one_answer", self.part, "all rows", told)
        lengths = sorted(length for length, _, _ in self._lengths)
        usual, most = median(lengths), lengths[int(0.9 * (len(lengths) - 1))]
        limit = max(_LONG, _TIMES_MEDIAN * usual, _TIMES_MOST * most)
        for length, place, text in self._lengths:
            if length > limit:
                told = f"{length:,} characters; the median is {usual:g}: {shortened(text)!r}"
                findings.add("long_answer", self.part, place, told)
        frequent = tuple((shortened(text, 40), times / rows) for text, times in self.known.most_common(_NAMED))
        return AnswerSummary(len(self.known), frequent, usual, lengths[-1])
