"""Measurements of a model in results, cards and the files of a run: quality and latency."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from .intervals import wilson
from .validated import Number, Pair, Several, Validated

#: Parts of the data that models are measured on, the one to show first.
PARTS = ("test", "reserved", "validation")
BatchSize = Annotated[str, Field(pattern=r"^[1-9][0-9]*$", description="a batch size")]


#: Headlines that are no mean of scores in [0, 1].
_NO_MEANS = ("r2",)
#: Spread of the times of rounds, see :attr:`Timing.spread`, above which the machine was busy.
BUSY_SPREAD = 0.3


class Difference(Validated):
    """The headline of a run's own model less that of another on the same records.

    Attributes:
        value: of it.
        interval: that holds the true one in 95 of 100 cases, see :func:`skiptune.core.intervals.difference_interval`.
    """

    value: Number
    interval: Pair[Number]

    @property
    def is_measured(self) -> bool:
        """Whether one model is better: the interval excludes 0."""
        low, high = self.interval
        return low > 0 or high < 0


class Measured(Validated):
    """Measures of a model over the records of one part. The task's own measures, in [0, 1], stand beside these fields.

    Attributes:
        loss: mean over the records.
        count: of records.
        interval: of the headline, with 95 %, see :mod:`skiptune.core.intervals`; ``None``: not recorded.
        difference: of a run's own model to this one on the same records, where both were measured.
        unknown_answers: records that could not be right, because the model cannot give their answers.
        errors: lower is better: of numbers that were predicted, in the unit of the values; the perplexity of answers.
        unanswered: further records, which were not measured because their answers are not known.
        cut_answers: generated answers that had no end when as many tokens were written as are allowed.
    """

    model_config = ConfigDict(extra="allow")
    if not TYPE_CHECKING:
        __pydantic_extra__: dict[str, Number]

    loss: Number | None = None
    count: int | None = Field(default=None, ge=0)
    interval: Pair[Number] | None = None
    difference: Difference | None = None
    unknown_answers: int = 0
    unanswered: int = 0
    cut_answers: int = 0
    errors: dict[str, Number] = Field(default={})

    @property
    def metrics(self) -> dict[str, float]:
        """The task's measures by name, the headline first."""
        return dict(self.model_extra or {})

    def interval_of(self, measure: str) -> tuple[float, float] | None:
        """The recorded interval of the headline ``measure``; else the one that its value and the count allow, if it is
        a mean of scores."""
        value = self.metrics[measure]
        if self.interval is not None or not self.count or not 0 <= value <= 1 or measure in _NO_MEANS:
            return self.interval
        return wilson(value, self.count)

    @model_serializer(mode="wrap")
    def _metrics_first(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {**self.metrics, **handler(self)}


class MeasuredParts(Validated):
    """Measures by part of the data. ``reserved`` is a share of validation that the search of a plan never saw."""

    validation: Measured | None = None
    reserved: Measured | None = None
    test: Measured | None = None

    @property
    def parts(self) -> dict[str, Measured]:
        """The parts that were measured, the one to show first."""
        found = {part: getattr(self, part) for part in PARTS}
        return {part: measured for part, measured in found.items() if measured is not None}


class Timing(Validated):
    """Seconds of a forward pass.

    Attributes:
        median_s, p10_s, p90_s: median, 10th and 90th percentile over the rounds.
        ratio: median over the rounds of its time divided by that of the original model, or of the first one, in the
            same round.
        ratio_interval: that holds the true ratio in 95 of 100 cases, see
            :func:`skiptune.core.intervals.median_interval`; ``None``: a version up to 0.3 did not record it.
        rounds: their number, likewise.
        seconds: of every round, in order; empty: not recorded.
    """

    median_s: Number
    p10_s: Number | None = None
    p90_s: Number | None = None
    ratio: Number
    ratio_interval: Pair[Number] | None = None
    rounds: int | None = None
    seconds: Several[Number] = ()

    @property
    def spread(self) -> float:
        """From the 10th to the 90th percentile, as a share of the median; 0 if they are not known."""
        return 0.0 if self.p10_s is None or self.p90_s is None else (self.p90_s - self.p10_s) / self.median_s


def busy_spread(timings: Iterable[Timing]) -> float | None:
    """The largest spread of models that took turns, if it says that the machine was busy; else ``None``."""
    widest = max((timing.spread for timing in timings), default=0.0)
    return widest if widest > BUSY_SPREAD else None


class Latency(Validated):
    """Forward passes of several models, which took turns in one process.

    Attributes:
        batches: batch size → name of the model → its timing.
        threads: of torch.
        device: ``cpu`` or ``cuda``.
        text_length: tokens of text.
        image_size: (height, width) in pixels; ``None``: a version up to 0.3 did not record it.
        left_out: batch size that was not timed, because of the time that it would take → estimated seconds of a round.
    """

    batches: dict[BatchSize, dict[str, Timing]]
    threads: int
    device: str
    text_length: int
    image_size: Pair[int] | None = None
    left_out: dict[BatchSize, Number] = Field(default={})

    def without_rounds(self) -> Latency:
        """The same without the seconds of every round."""
        batches = {
            batch: {name: timing.replace(seconds=()) if timing.seconds else timing for name, timing in timings.items()}
            for batch, timings in self.batches.items()
        }
        return self.replace(batches=batches)
