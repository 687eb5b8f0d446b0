"""Intervals hold what they say, and are those of tables and of scipy."""

from __future__ import annotations

import random

import numpy as np
import pytest

from skiptune.core.intervals import bootstrap, difference_interval, mean_interval, median_interval, wilson


@pytest.mark.parametrize(
    ("right", "count", "ends"),
    [(3, 12, (0.0889, 0.5323)), (0, 12, (0.0, 0.2425)), (12, 12, (0.7575, 1.0)), (1300, 1600, (0.7926, 0.8309))],
)
def test_wilson_intervals_are_those_of_tables(right: int, count: int, ends: tuple[float, float]) -> None:
    assert wilson(right / count, count) == pytest.approx(ends, abs=1e-4)
    assert mean_interval([1.0] * right + [0.0] * (count - right)) == pytest.approx(ends, abs=1e-4)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_intervals_of_means_hold_the_true_one_as_often_as_they_say(share: float) -> None:
    generator = np.random.default_rng(0)
    for draw in (lambda: generator.random(60) < share, lambda: (generator.random((60, 3)) < share).mean(1)):
        intervals = [mean_interval(draw().astype(float)) for _ in range(300)]
        assert 0.9 < np.mean([low <= share <= high for low, high in intervals]) <= 0.99


def test_differences_are_told_just_if_mcnemars_exact_test_rejects() -> None:
    same = [1.0] * 90
    for better, worse, told in ((6, 0, True), (5, 0, False), (12, 3, True), (12, 4, False)):
        one, other = same + [1.0] * better + [0.0] * worse, same + [0.0] * better + [1.0] * worse
        low, high = difference_interval(one, other)
        assert (low > 0) == told
        assert difference_interval(other, one) == pytest.approx((-high, -low), abs=0.02)
        assert low < (better - worse) / len(one) < high + 1e-9


def test_intervals_of_differences_hold_the_true_one_as_often_as_they_say() -> None:
    generator = np.random.default_rng(0)
    for better, worse in ((0.25, 0.0), (0.1, 0.05), (0.5, 0.2)):
        drawn = generator.choice([1.0, -1.0, 0.0], (200, 150), p=[better, worse, 1 - better - worse])
        ends = [difference_interval(one, np.zeros(150)) for one in drawn]
        assert np.mean([low <= better - worse <= high for low, high in ends]) > 0.9


def test_two_equal_models_of_few_records_are_not_known_to_be_equal() -> None:
    low, high = difference_interval([1.0] * 12, [1.0] * 12)
    assert (low, high) == pytest.approx((-0.2425, 0.2425), abs=1e-4)


def test_soft_scores_that_differ_on_few_records_tell_no_difference() -> None:
    base = [0.3] * 95
    few, more = base + [0.9] * 5, base + [0.9] * 40
    assert difference_interval(few, base + [0.3] * 5)[0] <= 0
    assert difference_interval(more, base + [0.3] * 40)[0] > 0


def test_a_bootstrap_is_the_same_at_every_call_and_near_the_normal_interval() -> None:
    values = np.random.default_rng(0).random(6000)  # too many different ones to draw
    low, high = bootstrap(values)
    assert (high - low) / (2 * 1.96) == pytest.approx(values.std() / 6000**0.5, rel=1e-3)
    drawn = bootstrap(values[:4000])
    assert drawn == bootstrap(values[:4000])
    assert (drawn[1] - drawn[0]) / (2 * 1.96) == pytest.approx(values[:4000].std() / 4000**0.5, rel=0.05)


def test_the_interval_holds_the_median_as_often_as_it_says() -> None:
    generator = random.Random(0)
    for count in (6, 20, 31):
        intervals = [median_interval([generator.gauss(0, 1) for _ in range(count)]) for _ in range(2000)]
        held = sum(low <= 0 <= high for low, high in intervals) / len(intervals)
        assert 0.94 < held < 0.99
    assert median_interval([3, 1, 2]) == (1, 3)
