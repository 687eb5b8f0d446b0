"""Names that readers of a report understand, and how its numbers are put."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..core.measurements import Measured
from .results import Results

#: The models whose latency is compared.
MODELS = {"original": "original", "unskipped": "nothing skipped", "slim": "slim"}
BASELINES = {"unskipped": "nothing skipped", "random": "random plan", "full": "full tuning"}


def readable(name: str) -> str:
    """A name of a file's field as words."""
    return name.replace("_", " ")


def measure_name(results: Results) -> str:
    """What the main measure is called."""
    return readable(results.metric.name)


def or_dash(show: Callable[[float], str], value: float | None) -> str:
    """``value`` as ``show`` puts it; a dash where nothing is known."""
    return "–" if value is None else show(value)


def with_margin(found: Measured, measure: str) -> str:
    """A measure with half of its 95% interval: ``81.25% ± 1.91%``.

    The variance of soft scores is not kept; for them it is the largest it can be.
    """
    value = found.metrics[measure]
    if not found.count:
        return f"{value:.2%}"
    margin = 1.96 * math.sqrt(max(0.0, value * (1 - value)) / found.count)
    return f"{value:.2%} ± {margin:.2%}"
