"""Paired tests over few seeds: Student's t and the exact sign-flip test, without a library of statistics."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import product
from typing import Any

_MOST_FLIPPED = 20  # differences whose 2^n signs are all gone through
_STEPS = 2000  # of the integration, even


def paired_test(one: Sequence[float], other: Sequence[float]) -> dict[str, Any]:
    """Is ``one`` higher than ``other``, value by value? Both two-sided.

    The sign-flip test asks how many of the 2^n ways to swap values within pairs give a mean difference at least as far
    from zero; it assumes nothing of the values, and cannot go below 2 / 2^n: 0.25 for three pairs.

    Returns:
        ``mean``, ``se`` and ``values`` of the differences; ``t``, ``df`` and ``p_t``; ``p_sign_flip``. What one pair or
        equal differences do not tell is ``None``.
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
    reached = abs(math.fsum(values)) * (1 - 1e-12)
    sums = [
        abs(math.fsum(sign * value for sign, value in zip(signs, values, strict=True)))
        for signs in product((1, -1), repeat=len(values))
    ]
    return sum(total >= reached for total in sums) / len(sums)


def two_sided(t: float, degrees: int) -> float:
    """The probability of a value of Student's t at least as far from zero.

    With ``x = √ν · tan θ`` the density becomes ``cos^(ν−1) θ``, times a constant: Simpson's rule from 0 to θ.
    """
    constant = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)) / math.sqrt(math.pi)
    end = math.atan(abs(t) / math.sqrt(degrees))
    step = end / _STEPS
    weights = (1 if k in (0, _STEPS) else 4 if k % 2 else 2 for k in range(_STEPS + 1))
    area = step / 3 * math.fsum(w * math.cos(k * step) ** (degrees - 1) for k, w in enumerate(weights))
    return min(1.0, max(0.0, 1 - 2 * constant * area))
