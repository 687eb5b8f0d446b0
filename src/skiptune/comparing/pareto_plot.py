"""The plot of a comparison: metric against latency, with the dot's size for the trained parameters.

Colours are those of Okabe and Ito; every kind of row also has a marker of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..reporting.plot_style import BLUE, GREY, INK, PLOT_STYLE, PURPLE, SKY, VERMILLION, literal
from .compare_results import CompareResults, Row
from .label_placement import Box, Point, place

_GREEN, _ORANGE = "#009E73", "#E69F00"
_SIZE, _DPI, _FONT = (8.6, 5.6), 150, 8.5
_MARGIN = 0.12  # of the axes' range, on every side
_SPACING = 4.0  # pixels
_FRONT = (0, (2, 2))
_STYLE: Any = {**PLOT_STYLE, "font.size": _FONT}


@dataclass(frozen=True)
class _Kind:
    """How rows of a kind are drawn; ``numbered``: named by how many blocks they skip."""

    title: str
    color: str
    marker: str
    numbered: bool = True


_WHOLE = _Kind("nothing skipped", INK, "o", numbered=False)
_KINDS = {
    "das-bottleneck": _Kind("DAS, adapters", BLUE, "s"),
    "das-lora": _Kind("DAS, LoRA", VERMILLION, "^"),
    "random-bottleneck": _Kind("random plans, adapters", PURPLE, "D"),
    "random-lora": _Kind("random plans, LoRA", _ORANGE, "v"),
    "heuristic-bottleneck": _Kind("best heuristic, adapters", _GREEN, "P"),
    "heuristic-lora": _Kind("best heuristic, LoRA", SKY, "X"),
}


def pareto_plot(path: Path, results: CompareResults) -> None:
    """Save a PNG of the content of ``compare.json``; rows without a latency are left out.

    Rows far below all others are drawn at the lower edge with their value, so that the scale fits the rest.
    """
    rows = [row for row in results.rows if row.latency_s is not None]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(_SIZE, dpi=_DPI, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes = figure.subplots()
        floor = _floor([row.metric_mean for row in rows])
        _limits(axes, rows, floor)
        _draw(axes, rows, floor)
        metric = results.metric
        axes.set(
            xlabel=f"latency of a forward pass, ms (batch {results.batch_sizes[0]}, {results.machine.device})",
            ylabel=f"{metric.part} {literal(metric.name).replace('_', ' ')}, % (bars: standard error over seeds)",
        )
        axes.set_title(
            f"{literal(results.model)}, {results.task}; numbers: blocks skipped of {results.blocks}",
            loc="left",
            fontsize=_FONT,
        )
        axes.grid(color="#ececec", linewidth=0.7)
        axes.set_axisbelow(True)
        _legends(figure, axes, rows)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # labels must stay where they are put
        _label(axes, rows, floor, canvas)
        figure.savefig(path, format="png", dpi=_DPI)


def kind_of(row: Row) -> _Kind:
    """How a row is drawn."""
    return _KINDS.get(row.method, _WHOLE)


def area(percent: float) -> float:
    """Area of a dot, in square points: it grows with the logarithm of the percentage of trained parameters."""
    return 16 + 46 * math.log10(1 + 20 * percent)


def _milliseconds(row: Row) -> float:
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


def _limits(axes: Axes, rows: Sequence[Row], floor: float) -> None:
    shown = [row for row in rows if row.metric_mean >= floor]
    x = [_milliseconds(row) for row in rows]
    y = [row.metric_mean + sign * (row.metric_se or 0) for row in shown for sign in (-1, 1)]
    for values, change in ((x, axes.set_xlim), (y, axes.set_ylim)):
        room = _MARGIN * ((max(values) - min(values)) or 0.1 * abs(max(values)) or 1.0)
        extra = 2 * room if change == axes.set_ylim and len(shown) < len(rows) else room
        change(min(values) - extra, max(values) + room)


def _place(axes: Axes, row: Row, floor: float) -> tuple[float, float]:
    """Where a row stands, in the units of the axes."""
    low, high = axes.get_ylim()
    bottom = low + 0.04 * (high - low)
    return _milliseconds(row), row.metric_mean if row.metric_mean >= floor else bottom


def _draw(axes: Axes, rows: Sequence[Row], floor: float) -> None:
    for method in dict.fromkeys(row.method for row in rows):
        series = [row for row in rows if row.method == method]
        kind = kind_of(series[0])
        places = [_place(axes, row, floor) for row in series]
        if kind.numbered and len(series) > 1:
            axes.plot(*zip(*places, strict=True), color=kind.color, linewidth=0.9, alpha=0.5, zorder=2)
        for row, (x, y) in zip(series, places, strict=True):
            if row.metric_se and row.metric_mean >= floor:
                axes.errorbar(x, y, row.metric_se, color=kind.color, linewidth=0.9, capsize=2, zorder=2)
            size = area(row.trainable_percent)
            axes.scatter(x, y, size, color=kind.color, marker=kind.marker, edgecolor="white", linewidth=0.6, zorder=3)
    _draw_front(axes, rows, floor)


def _draw_front(axes: Axes, rows: Sequence[Row], floor: float) -> None:
    """Draw the Pareto front: a step line through the rows that no other row beats in both latency and metric."""
    best, front = -math.inf, list[tuple[float, float]]()
    for row in sorted(rows, key=lambda row: (_milliseconds(row), -row.metric_mean)):
        if row.metric_mean > best:
            best = row.metric_mean
            x, y = _place(axes, row, floor)
            front += [(x, front[-1][1]), (x, y)] if front else [(x, y)]
    axes.plot(*zip(*front, strict=True), color=GREY, linestyle=_FRONT, linewidth=1.0, zorder=1)


def _legends(figure: Figure, axes: Axes, rows: Sequence[Row]) -> None:
    kinds = dict.fromkeys(kind_of(row) for row in rows)
    handles = [
        Line2D([], [], color=kind.color, marker=kind.marker, linestyle="", markersize=6, label=kind.title)
        for kind in kinds
    ]
    handles.append(Line2D([], [], color=GREY, linestyle=_FRONT, linewidth=1.0, label="none faster and better"))
    sizes = [
        Line2D([], [], color=GREY, marker="o", linestyle="", markersize=math.sqrt(area(value)), label=f"{value:g} %")
        for value in (0.1, 1, 10, 100)
    ]
    figure.legend(handles=[*handles, *sizes], loc="outside lower center", ncols=6, fontsize=_FONT - 0.5)
    figure.text(0.995, 0.995, "grey dots: share of parameters trained", ha="right", va="top", fontsize=_FONT - 1.5)


def _label(axes: Axes, rows: Sequence[Row], floor: float, canvas: FigureCanvasAgg) -> None:
    renderer: Any = canvas.get_renderer()  # type: ignore[no-untyped-call]
    scale = _DPI / 72
    texts, points, bars = [], [], _along(axes)
    for row in rows:
        kind = kind_of(row)
        name = f"{row.skipped:g}" if kind.numbered else row.title
        name += f" ({row.metric_mean:.1f} %)" if row.metric_mean < floor else ""
        text = axes.text(0, 0, name, color=kind.color, ha="center", va="center", fontsize=_FONT - 0.5, zorder=5)
        size = text.get_window_extent(renderer)
        x, y = axes.transData.transform(_place(axes, row, floor))
        radius = scale * math.sqrt(area(row.trainable_percent)) / 2
        points.append(Point(x, y, radius, size.width + 2, size.height + 1))
        texts.append(text)
        if row.metric_se and row.metric_mean >= floor:
            top = axes.transData.transform((0, row.metric_mean + row.metric_se))[1]
            bars.append(Box(x - 2, 2 * y - top, x + 2, top))
    window = axes.get_window_extent(renderer)
    within = Box(window.x0, window.y0, window.x1, window.y1)
    back = axes.transData.inverted()
    for text, point, box in zip(texts, points, place(points, within, bars), strict=True):
        middle = back.transform(((box.left + box.right) / 2, (box.bottom + box.top) / 2))
        text.set_position((float(middle[0]), float(middle[1])))
        end = box.nearest(point.x, point.y)
        if math.dist(end, (point.x, point.y)) > point.radius + 8:
            (x0, x1), (y0, y1) = zip(*back.transform([(point.x, point.y), end]), strict=True)
            axes.plot([x0, x1], [y0, y1], color=GREY, linewidth=0.5, zorder=1.5)


def _along(axes: Axes) -> list[Box]:
    """Small boxes along the lines between points, in pixels, for labels to stay off."""
    found = []
    for line in axes.lines:
        places = axes.transData.transform(line.get_xydata()).tolist()
        for (x0, y0), (x1, y1) in pairwise(places):
            count = 1 + int(math.dist((x0, y0), (x1, y1)) / _SPACING)
            parts = (k / count for k in range(count + 1))
            found += [Box.around(x0 + part * (x1 - x0), y0 + part * (y1 - y0), 3, 3) for part in parts]
    return found
