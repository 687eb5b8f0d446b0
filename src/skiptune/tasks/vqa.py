"""Visual question answering: a classifier over an answer vocabulary, soft scores, binary cross-entropy.

The loss is the one of transformers' ``ViltForQuestionAnswering`` and of the released code: binary cross-entropy with
the soft scores, averaged over batch and answers, times the number of answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..data.answers import answer_vocabulary, official_accuracy
from ..data.record import Record
from .activation import Activation
from .choice import Choice
from .head_start import start_at_frequencies
from .task import Check, refuse_unless

if TYPE_CHECKING:
    from ..data.parts import Data

_ANNOTATORS = 10


class Vqa(Choice):
    """Visual question answering over a fixed list of answers."""

    name = "vqa"

    @classmethod
    def from_checked(cls, processor: Any, records: Sequence[Record], least: int = 1, **options: Any) -> Vqa:
        """The task whose vocabulary is every answer given at least ``least`` times in ``records``, sorted.

        Of VQAv2's records only the majority answers count (usual: ``least=9``), normalised, in the order of the
        released heads' labels.
        """
        return cls(processor, _vocabulary([records], least))

    @classmethod
    def from_data(cls, processor: Any, data: Data, least: int = 1, known: Sequence[str] = (), **options: Any) -> Vqa:
        """The task of a run. Its answers are those of the labels in the files, if there are any, else those counted.

        Counted are training answers; for VQAv2 with a validation file also its majority answers, which is how the 3,129
        labels were made. Held-out answers of other sets never enter the vocabulary. A head that knows all of these
        answers keeps its own list, so that it stays as it was trained.
        """
        answers = data.answers or _vocabulary(data.counted, least)
        covered = set(answers) <= set(known) and len(set(known)) == len(known)
        return cls(processor, known if covered else answers)

    def start_head(self, model: nn.Module, records: Sequence[Record]) -> None:
        """Start a fresh head with every answer as likely as it is. In place."""
        start_at_frequencies(model, records, self.labels)

    @classmethod
    def checker(cls) -> Check:
        def check(record: Record) -> None:
            refuse_unless(record.text.strip(), cls.name, "a question")
            refuse_unless(record.label is None and record.labels is None, cls.name, "answers, not a label")
            refuse_unless(record.image2 is None, cls.name, "one image")

        return check

    def labels(self, records: Sequence[Record]) -> Tensor:
        """Soft scores ``(batch, answers)``."""
        found = torch.zeros(len(records), len(self.answers))
        for row, record in enumerate(records):
            for answer, score in record.answers.items():
                if answer in self.numbers:
                    found[row, self.numbers[answer]] = score
        return found

    def score(self, record: Record, prediction: str | float) -> float:
        """The official soft accuracy where ten annotators' answers are known, else the answer's soft score."""
        if len(record.given) >= _ANNOTATORS:
            return official_accuracy(str(prediction), record.given)
        return record.answers.get(str(prediction), 0.0)

    def accepted(self, record: Record) -> list[str]:
        return sorted(record.answers)

    def accepted_scores(self, record: Record) -> dict[str, float]:
        return {answer: score for answer, score in record.answers.items() if answer in self.numbers}

    @classmethod
    def answered(cls, record: Record) -> bool:
        return bool(record.answers)

    def unknown(self, records: Sequence[Record]) -> int:
        """How many records have no answer in the vocabulary."""
        return sum(not any(answer in self.numbers for answer in record.answers) for record in records)

    @property
    def activation(self) -> Activation:
        """Each answer is accepted with a probability of its own, independent of the others, as in training."""
        return "sigmoid"


def _vocabulary(parts: Sequence[Sequence[Record]], least: int) -> list[str]:
    majorities = [record.majority for records in parts for record in records if record.majority]
    if majorities:
        return answer_vocabulary(majorities, least)
    counts = Counter(answer for records in parts for record in records for answer in record.answers)
    return sorted(answer for answer, count in counts.items() if count >= least)
