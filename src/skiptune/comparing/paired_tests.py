"""Paired tests over few seeds: Student's t and the exact sign-flip test. scipy, of the extra ``compare``, has both."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np

from ..core.validated import Number, Several, Validated

_MOST_FLIPPED = 20  # largest number of differences whose 2^n signs are all tried
_BATCH = 2**12  # sign patterns at a time, to bound memory


class PairedTest(Validated):
    """Differences of pairs and two tests of them. What one pair or equal differences cannot give is ``None``.

    Attributes:
        mean, se: of the differences: mean and standard error.
        t, df, p_t: Student's t, its degrees of freedom, and the two-sided probability.
        p_sign_flip: of the exact sign-flip test, two-sided.
        values: the differences.
    """

    mean: Number
    se: Number | None
    t: Number | None
    df: int
    p_t: Number | None
    p_sign_flip: Number | None
    values: Several[Number]


def paired_test(one: Sequence[float], other: Sequence[float]) -> PairedTest:
    """Is ``one`` higher than ``other``, value by value? Both two-sided.

    The sign-flip test asks how many of the 2^n ways to swap values within pairs give a mean difference at least as far
    from zero; it assumes nothing of the values, and cannot go below 2 / 2^n: 0.25 for three pairs.
    """
    values = [first - second for first, second in zip(one, other, strict=True)]
    mean, count = statistics.mean(values), len(values)
    spread = statistics.stdev(values) if count > 1 else 0.0
    error = spread / math.sqrt(count)
    t = mean / error if error > 0 else None
    return PairedTest(
        mean=mean,
        se=error if count > 1 else None,
        t=t,
        df=count - 1,
        p_t=None if t is None else two_sided(t, count - 1),
        p_sign_flip=sign_flip(values) if 1 < count <= _MOST_FLIPPED else None,
        values=tuple(values),
    )


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
