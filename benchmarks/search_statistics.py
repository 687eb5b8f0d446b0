"""Statistics of ``benchmarks/search_quality.py``."""

from __future__ import annotations

import statistics
from itertools import combinations
from typing import Any

import numpy as np


def mean_of(values: list[float]) -> float | None:
    """The mean; ``None``: no values."""
    return statistics.mean(values) if values else None


def standard_error(values: list[float]) -> float | None:
    """Of the mean; ``None``: fewer than two values."""
    return statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else None


def agreement(plans: list[set[int]]) -> float | None:
    """Blocks that two seeds have in common, a mean over pairs."""
    return mean_of([len(one & other) for one, other in combinations(plans, 2)])


def rank_correlation(one: Any, other: Any) -> float | None:
    """Spearman's; ``None``: fewer than two values."""
    if len(one) < 2:
        return None
    ranks = [np.argsort(np.argsort(values)) for values in (one, other)]
    return float(np.corrcoef(*ranks)[0, 1])
