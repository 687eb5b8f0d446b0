"""Measurements of a model in results, cards and the files of a run: quality and latency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from .validated import Number, Pair, Validated

#: Parts of the data that models are measured on, the one to show first.
PARTS = ("test", "reserved", "validation")
BatchSize = Annotated[str, Field(pattern=r"^[1-9][0-9]*$", description="a batch size")]


class Measured(Validated):
    """Measures of a model over the records of one part. The task's own measures, in [0, 1], stand beside these fields.

    Attributes:
        loss: mean over the records.
        count: of records.
        unknown_answers: records that could not be right, because the model cannot give their answers.
        errors: of numbers that were predicted, by name, in the unit of the values; lower is better.
        unanswered: further records, which were not measured because their answers are not known.
    """

    model_config = ConfigDict(extra="allow")
    if not TYPE_CHECKING:
        __pydantic_extra__: dict[str, Number]

    loss: Number | None = None
    count: int | None = Field(default=None, ge=0)
    unknown_answers: int = 0
    unanswered: int = 0
    errors: dict[str, Number] = Field(default={})

    @property
    def metrics(self) -> dict[str, float]:
        """The task's measures by name, the headline first."""
        return dict(self.model_extra or {})

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
    """

    median_s: Number
    p10_s: Number | None = None
    p90_s: Number | None = None
    ratio: Number


class Latency(Validated):
    """Forward passes of several models, which took turns in one process.

    Attributes:
        batches: batch size → name of the model → its timing.
        threads: of torch.
        device: ``cpu`` or ``cuda``.
        text_length: tokens of text.
        image_size: (height, width) in pixels; ``None``: a version up to 0.3 did not record it.
    """

    batches: dict[BatchSize, dict[str, Timing]]
    threads: int
    device: str
    text_length: int
    image_size: Pair[int] | None = None
