"""The result of an evaluation: what a model reaches on records, and how far another draw of them may lead."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from ..core.errors import InputError
from ..core.intervals import mean_interval

#: The numbers of an evaluation by name; ``interval`` has two, ``errors`` its own names.
Summary: TypeAlias = dict[str, float | int | tuple[float, float] | dict[str, float] | None]


@dataclass(frozen=True)
class Evaluation:
    """Metrics of a model over ``count`` records, with its prediction for each and the prediction's score.

    Attributes:
        metrics: by name, the task's headline first; each in [0, 1], higher is better. None if nothing was measured.
        loss: mean over the measured records; ``None`` if nothing was measured.
        count: of measured records.
        unknown: records whose answers are not among the model's, so that no prediction is right.
        predictions: one per record.
        scores: of the predictions, each in [0, 1]; ``None`` where no answer is known.
        unanswered: records without a known answer. They are predicted, not measured.
        errors: lower is better: of numbers that were predicted, in the unit of the values; the perplexity of answers.
        cut_answers: generated answers that had no end when as many tokens were written as are allowed.
        damaged: problems of images that could not be read and were replaced by the mean colour.
        bad: problems of records that do not fit the model. They are neither predicted nor measured: their prediction is
            empty.
    """

    metrics: dict[str, float]
    loss: float | None
    count: int
    unknown: int
    predictions: tuple[str, ...]
    scores: tuple[float | None, ...]
    damaged: tuple[str, ...] = ()
    unanswered: int = 0
    errors: dict[str, float] = field(default_factory=dict)
    terms: tuple[float, ...] = ()
    cut_answers: int = 0
    bad: tuple[str, ...] = ()

    def with_bad(self, problems: Mapping[int, str]) -> Evaluation:
        """The same for all records that were given, where those with ``problems``, by their numbers, were left out."""
        if not problems:
            return self
        predictions, scores = iter(self.predictions), iter(self.scores)
        places = range(len(self.predictions) + len(problems))
        return replace(
            self,
            predictions=tuple("" if place in problems else next(predictions) for place in places),
            scores=tuple(None if place in problems else next(scores) for place in places),
            bad=tuple(problems.values()),
        )

    @property
    def headline_terms(self) -> tuple[float, ...]:
        """One number per measured record, or image, whose mean is the headline; empty if there are none."""
        found = self.terms or tuple(score for score in self.scores if score is not None)
        alike = found and math.isclose(sum(found) / len(found), self.headline, rel_tol=1e-6, abs_tol=1e-9)
        return found if alike else ()

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95% interval of the headline, see :mod:`skiptune.core.intervals`; ``None`` where it is not known."""
        return mean_interval(self.headline_terms) if self.headline_terms else None

    @property
    def headline(self) -> float:
        """The task's first metric.

        Raises:
            InputError: nothing was measured.
        """
        if not self.metrics:
            raise InputError("the answers of these records are not known: nothing was measured")
        return next(iter(self.metrics.values()))

    def summary(self) -> Summary:
        """The numbers, for JSON."""
        found: Summary = {**self.metrics, "loss": self.loss, "count": self.count, "unknown_answers": self.unknown}
        if self.interval is not None:
            found["interval"] = self.interval
        if self.errors:
            found["errors"] = self.errors
        counts = {"unanswered": self.unanswered, "cut_answers": self.cut_answers, "bad_rows": len(self.bad)}
        return {**found, **{name: count for name, count in counts.items() if count}}
