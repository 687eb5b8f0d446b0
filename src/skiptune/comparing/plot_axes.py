"""The ends of a comparison's axes, wide enough that noise does not look like a difference, and the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from ..reporting.plot_style import GREY
from .compare_results import Row

_MARGIN = 0.12  # of the axes' range, on every side
_BEYOND = 0.05  # of it, above 100 %
_NOTE = 7  # points
#: The least that the axes show, so that noise does not look like a difference: points of the metric, standard errors,
#: and share of the largest latency.
_LEAST_POINTS, _LEAST_ERRORS, _LEAST_LATENCY = 5.0, 6.0, 0.2


def milliseconds_of(row: Row) -> float:
    """Latency of a row; those without one are not drawn."""
    return 1e3 * (row.latency_s or 0.0)


def _floor(values: Sequence[float]) -> float:
    """The lowest value of the scale: a few rows at the bottom that are further away than the range of the others do not
    count."""
    ordered = sorted(values)
    floor = ordered[0]
    for k in range(1, 1 + len(ordered) // 4):
        if ordered[k] - ordered[k - 1] > ordered[-1] - ordered[k] > 0:
            floor = ordered[k]
    return floor


def set_limits(axes: Axes, rows: Sequence[Row]) -> float:
    """Set the ends of the axes; returns the value below which rows are drawn at the lower edge."""
    floor = _floor([row.metric_mean for row in rows])
    shown = [row for row in rows if row.metric_mean >= floor]
    x = [milliseconds_of(row) for row in rows]
    y = [row.metric_mean + sign * (row.metric_se or 0) for row in shown for sign in (-1, 1)]
    errors = _LEAST_ERRORS * max(row.metric_se or 0 for row in shown)
    axes.set_xlim(_span(x, _LEAST_LATENCY * max(x)))
    low, high = _span(y, max(_LEAST_POINTS, errors))
    above = max(0.0, high - 100 - _BEYOND * (high - low))  # no metric is more than 100 %
    low, high = low - above, high - above
    beyond = any(row.metric_mean < low for row in rows)
    axes.set_ylim(low - (_MARGIN * (high - low) if beyond else 0), high)
    cut = [name for name, (first, _) in (("latency", axes.get_xlim()), ("metric", axes.get_ylim())) if first > 0]
    if cut:
        text = f"the {' and the '.join(cut)} {'axes do' if len(cut) > 1 else 'axis does'} not start at 0"
        axes.text(0.995, 0.01, text, transform=axes.transAxes, ha="right", fontsize=_NOTE, color=GREY)
    return low


def _span(values: Sequence[float], least: float) -> tuple[float, float]:
    """The ends of an axis: the values with a margin, and no less than ``least`` between the outermost."""
    low, high = min(values), max(values)
    more = max(0.0, least - (high - low)) / 2
    room = _MARGIN * (high - low + 2 * more)
    return low - more - room, high + more + room


def front_line(places: Sequence[tuple[float, float]], bottom: float, right: float) -> list[tuple[float, float]]:
    """The Pareto front of points (latency, metric) as a step line, from ``bottom`` below the fastest point up to the
    best one, and on to ``right``; it never falls."""
    line: list[tuple[float, float]] = []
    for x, y in sorted(places, key=lambda place: (place[0], -place[1])):
        before = line[-1][1] if line else bottom
        if y > before:
            line += [(x, before), (x, y)]
    return [*line, (right, line[-1][1])] if line else []
