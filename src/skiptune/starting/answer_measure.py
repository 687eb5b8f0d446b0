"""What answers of generation are measured by, as they look."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from statistics import median

from ..data.record import Record
from ..tasks.generation.conversation import best_answer
from ..tasks.generation.settings import Measure

#: Records that are looked at, and words of a usual answer above which hardly any is met exactly.
_LOOKED_AT, _SHORT = 200, 5


def answer_measure(records: Sequence[Record]) -> Measure:
    """Choices are told by their log-likelihood, short answers compared, and long ones judged by their likelihood."""
    few = list(islice(records, _LOOKED_AT))
    if few and all(record.options for record in few):
        return "choice"
    words = [len(answer.split()) for record in few if (answer := best_answer(record)) is not None]
    return "likelihood" if words and median(words) > _SHORT else "exact_match"
