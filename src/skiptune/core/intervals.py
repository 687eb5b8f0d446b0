"""95% intervals of what is measured on a sample: of a mean score, of the difference of two models, of a median.

Records count as drawn independently of each other. An interval says how far another draw of as many records may lead,
not another seed of the training.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

#: Lower and upper end.
Interval: TypeAlias = tuple[float, float]

_TAIL = 0.025  # on either side
_Z = 1.959963984540054  # that of the normal distribution with these tails
_DRAWS = 2000  # samples of a bootstrap
_MANY = 5000  # different values
_AT_ONCE = 2**22  # counts of a bootstrap held in memory
#: Fewest rounds, or fewest records on which two models differ, for which a test of signs can reach 5 %: 2 / 2^6.
FEWEST = 6


def wilson(share: float, count: int) -> Interval:
    """Wilson's score interval of a share of ``count`` records that are right or wrong.

    For scores between 0 and 1 it is at least as wide as needed, because none of one mean vary more than 0 and 1.
    """
    square = _Z * _Z / count
    middle = (share + square / 2) / (1 + square)
    half = math.sqrt(max(0.0, share * (1 - share)) * square + square * square / 4) / (1 + square)
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def mean_interval(values: Sequence[float]) -> Interval:
    """Of the mean of one score per record: Wilson's where all are 0 or 1, else by bootstrap."""
    if all(value in (0, 1) for value in values):
        return wilson(sum(values) / len(values), len(values))
    return bootstrap(values)


def difference_interval(one: Sequence[float] | np.ndarray, other: Sequence[float] | np.ndarray) -> Interval:
    """Of the mean difference of two models' scores of the same records: by bootstrap, widened where a test that is
    exact for few records would not tell the models apart.

    Where all scores are 0 or 1, it also holds the exact interval given the number of records on which the models
    differ, and so excludes 0 only if McNemar's exact test rejects at 5 %. Where that number is below 6, the upper end
    of its share by :func:`wilson` counts instead. Other scores: it includes 0 where the models differ on fewer than 6
    records, on which no test of signs can reject.
    """
    differences = np.asarray(one, dtype=np.float64) - np.asarray(other, dtype=np.float64)
    unequal = int(np.count_nonzero(differences))
    low, high = bootstrap(differences)
    if not np.isin(differences, (-1.0, 0.0, 1.0)).all():
        return (low, high) if unequal >= FEWEST else (min(low, 0.0), max(high, 0.0))
    share = unequal / len(differences)
    if unequal < FEWEST:
        share = wilson(share, len(differences))[1]
    below, above = ((2 * end - 1) * share for end in _clopper_pearson(int((differences > 0).sum()), unequal))
    return min(low, below), max(high, above)


def bootstrap(values: Sequence[float] | np.ndarray) -> Interval:
    """Percentiles of the means of 2,000 samples drawn from ``values`` with replacement, the same at every call.

    Of more than 5,000 different values, which take long, by the normal distribution that these means have.
    """
    given = np.asarray(values, dtype=np.float64)
    different, counts = np.unique(given, return_counts=True)
    number, generator = len(given), np.random.default_rng(0)
    if len(different) > _MANY:
        middle, half = float(given.mean()), _Z * float(given.std()) / math.sqrt(number)
        return middle - half, middle + half
    steps = max(1, _AT_ONCE // len(different))
    parts = [min(steps, _DRAWS - start) for start in range(0, _DRAWS, steps)]
    means = [generator.multinomial(number, counts / number, size=part) @ different / number for part in parts]
    low, high = np.quantile(np.concatenate(means), (_TAIL, 1 - _TAIL))
    return float(low), float(high)


def median_interval(values: Sequence[float]) -> Interval:
    """Order statistics that enclose the true median in 95 % of all cases, for any distribution.

    With fewer than 6 values, the lowest and the highest.
    """
    ordered, count = sorted(values), len(values)
    below, tail = 0, 0.0
    for place in range(count // 2):
        tail += math.comb(count, place) / 2**count
        if tail > _TAIL:
            break
        below = place
    return ordered[below], ordered[count - 1 - below]


def _clopper_pearson(hits: int, count: int) -> Interval:
    """The exact interval of a share of ``count`` independent trials; (0, 1) of none."""
    if count == 0:
        return 0.0, 1.0
    low = 0.0 if hits == 0 else _root(lambda share: _at_least(hits, count, share) - _TAIL)
    high = 1.0 if hits == count else 1 - _root(lambda share: _at_least(count - hits, count, share) - _TAIL)
    return low, high


def _at_least(hits: int, count: int, share: float) -> float:
    """The probability of ``hits`` or more of ``count`` trials."""
    places = np.arange(hits, count + 1)
    factorials = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, count + 1)))))
    ways = factorials[count] - factorials[places] - factorials[count - places]
    return float(np.exp(ways + places * math.log(share) + (count - places) * math.log1p(-share)).sum())


def _root(rising: Callable[[float], float]) -> float:
    """Where a function that rises between 0 and 1 is zero, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2
