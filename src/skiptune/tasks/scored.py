"""Tasks whose model makes one prediction a record, with a score; the base for a task of one's own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from numbers import Real

from torch import Tensor, nn

from ..core.errors import InputError
from ..core.shown import shown
from ..data.record import Record
from .answer import Answer
from .evaluation_result import Evaluation
from .one_text import OneTextTask
from .task import on_device


class ScoredTask(OneTextTask):
    """A text, perhaps an empty one, and an image a record; the model's logits become a prediction, which has a score.

    A task of one's own defines ``name``, ``metric``, :meth:`labels`, :meth:`predictions` and :meth:`score`; beside
    them what differs from the defaults: ``unit``, ``needs_text``, ``model_class``, :meth:`model_changes`,
    :meth:`checker`, :meth:`answered`, :meth:`metrics`, :meth:`accepted`. What its ``__init__`` takes beside the
    processor comes from :meth:`from_checked` and goes into :meth:`settings`.
    """

    @abstractmethod
    def predictions(self, logits: Tensor) -> Sequence[str] | Sequence[float]:
        """What the model says, from ``(batch, …)`` logits: a text or a number for every row."""

    @abstractmethod
    def score(self, record: Record, prediction: str | float) -> float:
        """The score of a prediction, in [0, 1]; 1 is right."""

    def unknown(self, records: Sequence[Record]) -> int:
        """Number of records whose answers are known, but not among the model's."""
        return 0

    def metrics(self, records: Sequence[Record], scores: Sequence[float]) -> dict[str, float]:
        """Measures over all records with known answers, each in [0, 1]; the headline, the mean score, is the first."""
        return {self.metric: sum(scores) / len(scores)}

    def measure(self, model: nn.Module, records: Sequence[Record], batch_size: int, title: str) -> Evaluation:
        def keep(logits: Tensor) -> list[str | float]:
            said: list[str | float] = list(self.predictions(logits))
            if len(said) != len(logits):
                raise InputError(f"{type(self).__name__}.predictions: {len(said)} for a batch of {len(logits)} records")
            return said

        found = self.outputs(model, records, batch_size, title, keep)
        scores: list[float | None] = [None] * len(records)
        for row in found.known:
            scores[row] = self._checked(self.score(records[row], found.kept[row]))
        measured = [records[row] for row in found.known]
        metrics = self.metrics(measured, [score for score in scores if score is not None]) if measured else {}
        return Evaluation(
            metrics,
            found.loss,
            len(measured),
            self.unknown(measured),
            tuple(map(str, found.kept)),
            tuple(scores),
            unanswered=len(records) - len(measured),
        )

    def _checked(self, score: object) -> float:
        """A score of a user's own task, which goes into means and intervals of shares."""
        if not isinstance(score, Real) or not 0 <= float(score) <= 1:
            raise InputError(f"{type(self).__name__}.score: {shown(score)}; expected a number in [0, 1]")
        return float(score)

    def answers_to(
        self, model: nn.Module, records: Sequence[Record], inputs: dict[str, Tensor], top: int
    ) -> list[tuple[Answer, ...]]:
        """For each record, its prediction."""
        said = self.predictions(model(**on_device(inputs, model)).logits)
        return [(Answer(prediction),) for prediction in said]
