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

from ..core.formatting import file_name
from ..reporting.plot_style import BLUE, GREY, INK, PLOT_STYLE, PURPLE, SKY, VERMILLION, literal
from .compare_results import CompareResults, Row
from .label_placement import Box, Point, place
from .plot_axes import front_line, milliseconds_of, set_limits

_GREEN, _ORANGE = "#009E73", "#E69F00"
_SIZE, _DPI, _FONT = (8.6, 5.6), 150, 8.5
_SPACING = 4.0  # pixels
_LONGEST_NAME = 60  # characters
#: Of the line that no row lies beyond.
_FRONT: Any = {"color": "#b4b4b4", "linewidth": 2.0, "solid_joinstyle": "miter"}
_STYLE: Any = {**PLOT_STYLE, "font.size": _FONT}


@dataclass(frozen=True)
class _Kind:
    """How rows of a kind are drawn; ``numbered``: named by how many blocks they skip."""

    title: str
    color: str
    marker: str
    numbered: bool = True


_WHOLE = _Kind("nothing skipped", INK, "o", numbered=False)
_TOKENS = _Kind("nothing skipped, fewer image tokens", GREY, "*", numbered=False)
_KINDS = {
    "das-bottleneck": _Kind("DAS, adapters", BLUE, "s"),
    "das-lora": _Kind("DAS, LoRA", VERMILLION, "^"),
    "random-bottleneck": _Kind("random plans, adapters", PURPLE, "D"),
    "random-lora": _Kind("random plans, LoRA", _ORANGE, "v"),
    "heuristic-bottleneck": _Kind("best heuristic, adapters", _GREEN, "P"),
    "heuristic-lora": _Kind("best heuristic, LoRA", SKY, "X"),
    "blocks-lora": _Kind("blocks alone, LoRA", BLUE, "<"),
    "tokens-lora": _Kind("tokens alone, LoRA", _GREEN, "p", numbered=False),
    "uniform-lora": _Kind("uniform tokens, LoRA", PURPLE, "h", numbered=False),
}


def pareto_plot(path: Path, results: CompareResults) -> None:
    """Save a PNG of the content of ``compare.json``; rows without a latency are left out.

    Rows far below all others are drawn at the lower edge with an arrow and their value, so that the scale fits the
    rest. The axes show at least five points and a fifth of the latency, and say so where they do not start at 0.
    """
    rows = [row for row in results.rows if row.latency_s is not None]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(_SIZE, dpi=_DPI, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes = figure.subplots()
        floor = set_limits(axes, rows)
        _draw(axes, rows, floor)
        metric = results.metric
        axes.set(
            xlabel=f"latency of a forward pass, ms (batch {results.batch_sizes[0]}, {results.machine.device})",
            ylabel=f"{metric.part} {literal(metric.name).replace('_', ' ')}, % (bars: standard error over seeds)",
        )
        axes.set_title(
            f"{literal(_short(results.model))}, {results.task}; numbers: blocks skipped of {results.blocks}",
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


def _short(name: str) -> str:
    """A model's name, of a directory its last part, that fits above the axes."""
    name = file_name(name)
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"


def kind_of(row: Row) -> _Kind:
    """How a row is drawn."""
    return _KINDS.get(row.method, _TOKENS if row.tokens else _WHOLE)


def area(percent: float) -> float:
    """Area of a dot, in square points: it grows with the logarithm of the percentage of trained parameters."""
    return 16 + 46 * math.log10(1 + 20 * percent)


def _place(axes: Axes, row: Row, floor: float) -> tuple[float, float]:
    """Where a row stands, in the units of the axes."""
    low, high = axes.get_ylim()
    bottom = low + 0.04 * (high - low)
    return milliseconds_of(row), row.metric_mean if row.metric_mean >= floor else bottom


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
    """Draw the Pareto front: a step line, from the lower edge to the right one, that no row lies beyond."""
    places = [_place(axes, row, floor) for row in rows]
    line = front_line(places, axes.get_ylim()[0], axes.get_xlim()[1])
    axes.plot(*zip(*line, strict=True), zorder=1, **_FRONT)


def _legends(figure: Figure, axes: Axes, rows: Sequence[Row]) -> None:
    kinds = dict.fromkeys(kind_of(row) for row in rows)
    handles = [
        Line2D([], [], color=kind.color, marker=kind.marker, linestyle="", markersize=6, label=kind.title)
        for kind in kinds
    ]
    handles.append(Line2D([], [], label="none faster and better", **_FRONT))
    sizes = [
        Line2D([], [], color=GREY, marker="o", linestyle="", markersize=math.sqrt(area(value)), label=f"{value:g} %")
        for value in (0.1, 1, 10, 100)
    ]
    style: Any = {"fontsize": _FONT - 0.5, "title_fontsize": _FONT - 0.5}
    figure.legend(handles=handles, loc="outside lower left", ncols=4, **style)
    figure.legend(handles=sizes, loc="outside lower right", ncols=2, title="parameters trained", **style)


def _label(axes: Axes, rows: Sequence[Row], floor: float, canvas: FigureCanvasAgg) -> None:
    renderer: Any = canvas.get_renderer()  # type: ignore[no-untyped-call]
    scale = _DPI / 72
    texts, points, bars = [], [], _along(axes)
    for row in rows:
        kind = kind_of(row)
        name = f"{row.skipped:g}" if kind.numbered else row.title
        name += f" ↓ {row.metric_mean:.1f} %" if row.metric_mean < floor else ""
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
