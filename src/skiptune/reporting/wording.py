"""Names and numbers as a report shows them."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..core.measurements import Measured
from .results import Results

#: The models whose latency is compared.
MODELS = {"original": "original", "unskipped": "nothing skipped", "slim": "slim"}
BASELINES = {"unskipped": "nothing skipped", "random": "random plan", "full": "full tuning"}


#: What a part is, where its name does not say it.
RESERVED = "The reserved part is a share of the validation images that the search never saw."
TOO_GOOD = "The plan was chosen on the validation part, so what is measured there is likely too good."


def readable(name: str) -> str:
    """A name of a file's field as words."""
    return name.replace("_", " ")


def measure_name(results: Results) -> str:
    """The name of the main metric."""
    return readable(results.metric.name)


def or_dash(show: Callable[[float], str], value: float | None) -> str:
    """``value`` as ``show`` formats it, or a dash if it is not known."""
    return "–" if value is None else show(value)


def with_margin(found: Measured, measure: str) -> str:
    """A measure with half of its 95% interval: ``81.25% ± 1.91%``.

    The variance of soft scores is not recorded; the largest possible one is used for them.
    """
    value = found.metrics[measure]
    if not found.count:
        return f"{value:.2%}"
    margin = 1.96 * math.sqrt(max(0.0, value * (1 - value)) / found.count)
    return f"{value:.2%} ± {margin:.2%}"
