"""A run's model beside others on the same records: differences with intervals, and rules that see no image."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from ..core.intervals import difference_interval, mean_interval
from ..core.measurements import Difference, Measured, MeasuredParts
from ..core.validated import Number, Several
from ..data.parts import Data
from ..tasks.evaluation_result import Evaluation
from ..tasks.task import Task

#: Part of the data → one number per measured record whose mean is the headline.
Terms: TypeAlias = dict[str, Several[Number]]


def as_measured(found: Mapping[str, Evaluation]) -> dict[str, Measured]:
    """The measures of evaluations, by part."""
    return {part: Measured.from_dict(evaluation.summary()) for part, evaluation in found.items()}


def terms_of(found: Mapping[str, Evaluation]) -> Terms:
    """The terms of evaluations, by part; whole numbers as such, which are short in files."""
    return {
        part: tuple(int(term) if term in (0, 1) else term for term in evaluation.headline_terms)
        for part, evaluation in found.items()
    }


def measure_priors(task: Task, data: Data, own: Terms) -> dict[str, MeasuredParts]:
    """What rules reach that see no image, by name and part, with the differences of the run's model to them."""
    found: dict[str, dict[str, Measured]] = {}
    for part, records in data.held_out.items():
        for name, terms in task.priors(data.train, records).items():
            found.setdefault(name, {})[part] = _measured_prior(task.metric, terms, own.get(part, ()))
    return {name: MeasuredParts(**parts) for name, parts in found.items()}


def with_differences(parts: MeasuredParts, own: Terms, other: Terms) -> dict[str, Measured]:
    """The parts of another model with the difference of the run's model to it, where the terms of both are known."""
    return {
        part: with_difference(measured, own.get(part, ()), other.get(part, ()))
        for part, measured in parts.parts.items()
    }


def with_difference(measured: Measured, own: Sequence[float], other: Sequence[float]) -> Measured:
    """A model's measures with the difference of the run's model to it, if the terms of both are known."""
    if not own or len(own) != len(other):
        return measured
    value = statistics.fmean(own) - statistics.fmean(other)
    return measured.replace(difference=Difference(value=value, interval=difference_interval(own, other)))


def _measured_prior(metric: str, terms: Sequence[float], own: Sequence[float]) -> Measured:
    """A rule's measures from its terms, with the difference of the run's model to it. A measure below 0, as R² may be,
    is stated as 0, and has neither interval nor difference."""
    value = statistics.fmean(terms)
    if value < 0:
        return Measured.from_dict({metric: 0.0, "count": len(terms)})
    measured = Measured.from_dict({metric: value, "count": len(terms), "interval": mean_interval(terms)})
    return with_difference(measured, own, terms)
