"""A benchmark as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from ..core.formatting import milliseconds
from ..reporting.plot_style import BLUE, GREY, INK, PLOT_STYLE, VERMILLION, literal
from .bench_result import BenchRow

_KINDS = {"none": (GREY, "s"), "bottleneck": (VERMILLION, "o"), "lora": (BLUE, "D")}  # colour and shape say the same
_NAMES = {"none": "no adapters", "bottleneck": "bottleneck", "lora": "LoRA, merged"}


def draw(path: Path, rows: Sequence[BenchRow]) -> None:
    """Save a PNG: one panel per batch size, medians as points, 10th to 90th percentile as whiskers."""
    batches = list(dict.fromkeys(row.batch for row in rows))
    most = max(sum(row.batch == batch for row in rows) for batch in batches)
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure((8.0, 0.3 + len(batches) * (0.9 + 0.28 * most)), layout="constrained")
        panels = figure.subplots(len(batches), squeeze=False)[:, 0]
        for axes, batch in zip(panels, batches, strict=True):
            _panel(axes, [row for row in rows if row.batch == batch])
            axes.set_title(f"batch of {batch}")
        _explain(figure, rows)
        panels[-1].set_xlabel("milliseconds (10 % to 90 % of the rounds), × first model")
        figure.savefig(path, format="png", dpi=150)


def _panel(axes: Axes, rows: Sequence[BenchRow]) -> None:
    longest = max(row.p90_s for row in rows) * 1e3
    for place, row in enumerate(rows):
        low, middle, high = (seconds * 1e3 for seconds in (row.p10_s, row.median_s, row.p90_s))
        color, shape = _KINDS[row.adapters]
        axes.plot([low, high], [place, place], color=INK, linewidth=1.2, marker="|", markersize=6)
        axes.plot([middle], [place], color=color, marker=shape, markersize=6, linestyle="none")
        text = milliseconds(row.median_s) + (f"  ×{row.ratio:.2f}" if place else "")
        axes.text(high + 0.03 * longest, place, text, va="center", color=INK)
    axes.set_yticks(range(len(rows)), [literal(_short(row.model)) for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, 1.5 * longest)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.8)
    axes.tick_params(axis="y", length=0)


def _explain(figure: Figure, rows: Sequence[BenchRow]) -> None:
    """A legend for the kinds of adapters, if there are several."""
    kinds = [kind for kind in _KINDS if any(row.adapters == kind for row in rows)]
    if len(kinds) < 2:
        return
    marks = [Line2D([], [], color=_KINDS[kind][0], marker=_KINDS[kind][1], linestyle="none") for kind in kinds]
    figure.legend(marks, [_NAMES[kind] for kind in kinds], loc="outside lower right", ncols=len(kinds))


def _short(name: str, longest: int = 44) -> str:
    return name if len(name) <= longest else f"{name[: longest // 2]}…{name[-longest // 2 + 1 :]}"
