"""The plot of a comparison: its Pareto front, and axes that do not zoom into noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from matplotlib.figure import Figure

from skiptune.comparing.plot_axes import front_line, set_limits


@dataclass
class FakeRow:
    """What the ends of the axes depend on."""

    latency_s: float
    metric_mean: float
    metric_se: float | None = None


def limits(*rows: Any) -> tuple[float, tuple[float, float], tuple[float, float], list[str]]:
    axes = Figure().subplots()
    floor = set_limits(axes, rows)
    return floor, axes.get_xlim(), axes.get_ylim(), [text.get_text() for text in axes.texts]


def test_the_front_is_a_line_that_never_falls() -> None:
    places = [(8.0, 99.0), (5.0, 94.0), (5.0, 90.0), (6.0, 93.0), (7.0, 99.5), (9.0, 99.5)]
    line = front_line(places, 80.0, 10.0)
    assert line == [(5.0, 80.0), (5.0, 94.0), (7.0, 94.0), (7.0, 99.5), (10.0, 99.5)]
    assert not [place for place in places if any(x <= place[0] and y < place[1] for x, y in line[-2:])]


def test_a_single_point_has_a_front_too() -> None:
    assert front_line([(5.0, 94.0)], 80.0, 10.0) == [(5.0, 80.0), (5.0, 94.0), (10.0, 94.0)]


def test_noise_does_not_fill_the_axes() -> None:
    _, x, y, said = limits(FakeRow(0.0288, 17.2, 0.6), FakeRow(0.0289, 17.3, 0.6))
    assert x[1] - x[0] > 0.2 * 28.8
    assert y[1] - y[0] > 5
    assert said == ["the latency and the metric axes do not start at 0"]
    *_, said = limits(FakeRow(0.001, 1.0), FakeRow(0.030, 95.0))
    assert said == []


def test_no_axis_goes_far_beyond_all_right() -> None:
    _, _, y, _ = limits(FakeRow(0.008, 99.9), FakeRow(0.007, 99.8))
    assert y[1] == pytest.approx(100, abs=0.5)
    assert y[0] < 95


def test_only_rows_outside_are_drawn_at_the_lower_edge() -> None:
    near = [FakeRow(0.008, 90.0 + number) for number in range(8)]
    assert limits(*near, FakeRow(0.008, 88.0))[0] < 88
    floor, _, y, _ = limits(*near, FakeRow(0.008, 20.0))
    assert 20 < y[0] < floor < 90
