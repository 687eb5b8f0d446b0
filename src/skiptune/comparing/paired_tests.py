"""Paired tests over few seeds: Student's t and the exact sign-flip test. scipy, of the extra ``compare``, has both."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

_MOST_FLIPPED = 20  # largest number of differences whose 2^n signs are all tried
_BATCH = 2**12  # sign patterns at a time, to bound memory


def paired_test(one: Sequence[float], other: Sequence[float]) -> dict[str, Any]:
    """Is ``one`` higher than ``other``, value by value? Both two-sided.

    The sign-flip test asks how many of the 2^n ways to swap values within pairs give a mean difference at least as far
    from zero; it assumes nothing of the values, and cannot go below 2 / 2^n: 0.25 for three pairs.

    Returns:
        ``mean``, ``se`` and ``values`` of the differences; ``t``, ``df`` and ``p_t``; ``p_sign_flip``. Values that one
        pair or equal differences cannot give are ``None``.
    """
    values = [first - second for first, second in zip(one, other, strict=True)]
    mean, count = statistics.mean(values), len(values)
    spread = statistics.stdev(values) if count > 1 else 0.0
    error = spread / math.sqrt(count)
    t = mean / error if error > 0 else None
    return {
        "mean": mean,
        "se": error if count > 1 else None,
        "t": t,
        "df": count - 1,
        "p_t": None if t is None else two_sided(t, count - 1),
        "p_sign_flip": sign_flip(values) if 1 < count <= _MOST_FLIPPED else None,
        "values": values,
    }


def sign_flip(values: Sequence[float]) -> float:
    """The exact two-sided p of the mean of ``values``, by all their signs."""
    from scipy.stats import permutation_test

    found = permutation_test(
        (values,), np.sum, permutation_type="samples", n_resamples=np.inf, vectorized=True, batch=_BATCH
    )
    return float(found.pvalue)


def two_sided(t: float, degrees: int) -> float:
    """The probability of a value of Student's t at least as far from zero."""
    from scipy.stats import t as student

    return float(2 * student.sf(abs(t), degrees))
