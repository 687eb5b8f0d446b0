"""Figures of ``benchmarks/search_quality.py``: landscape, regret against cost, preferences over time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

#: Colours that colour-blind people can tell apart (Okabe and Ito), ours first.
_OURS, _PAPER, _OTHERS, _GREY = "#D55E00", "#0072B2", "#009E73", "#999999"


def draw(result: dict[str, Any], landscapes: dict[str, Any], folder: Path) -> None:
    """Write one figure a data set and number of skipped blocks."""
    for dataset, counts in result["datasets"].items():
        for count, rows in counts.items():
            figure = Figure(figsize=(13, 4), layout="constrained")
            left, middle, right = figure.subplots(1, 3)
            _landscape(left, landscapes[dataset][count], rows)
            _regret(middle, rows)
            _curves(right, rows)
            figure.suptitle(f"{dataset}, {count} of 12 blocks skipped")
            figure.savefig(folder / f"search_{dataset}_{count}.png", dpi=110)


def colour(name: str) -> str:
    return {"default": _OURS, "paper": _PAPER}.get(name, _OTHERS)


def _landscape(axes: Any, landscape: dict[str, Any], rows: dict[str, Any]) -> None:
    """Loss of every plan, best first, with what the strategies found."""
    order = np.argsort(landscape["loss"])
    losses = np.array(landscape["loss"])[order]
    places = {tuple(landscape["sets"][number]): place for place, number in enumerate(order)}
    axes.plot(losses, color=_GREY, linewidth=2, label=f"all {len(losses)} plans")
    for name in ("default", "paper"):
        if name in rows:
            at = [places[tuple(plan)] for plan in rows[name]["plans"]]
            label = f"{name}, {len(at)} seeds"
            axes.plot(at, losses[at], "o", color=colour(name), markersize=8, alpha=0.8, label=label)
    axes.set(xlabel="plan, best first", ylabel="held-out loss after the warm-up", title="landscape")
    axes.legend(frameon=False)


def _regret(axes: Any, rows: dict[str, Any]) -> None:
    """Accuracy lost against the best plan, by cost; labels in two columns beside the points."""
    shown = sorted(rows, key=lambda name: rows[name]["percentile_mean"])
    for place, name in enumerate(shown):
        row = rows[name]
        error = 100 * (row["regret_se"] or 0)
        axes.errorbar(100 * row["regret_mean"], place, xerr=error, fmt="o", color=colour(name), capsize=3)
    labels = [f"{name}  ({100 * (rows[name]['cost_ratio'] - 1):+.0f} %)" for name in shown]
    axes.set_yticks(range(len(shown)), labels)
    axes.invert_yaxis()
    axes.set(xlabel="accuracy lost against the best plan, points", title="regret (cost over the training alone)")
    axes.set_xlim(left=0)


def _curves(axes: Any, rows: dict[str, Any]) -> None:
    """Preferences of our strategy in one search; the blocks finally skipped in colour."""
    row = rows.get("default", {})
    if not row.get("curve"):
        return
    curve = np.array(row["curve"])
    for block in range(curve.shape[1] - 1):
        skipped = block in row["plans"][0]
        axes.plot(curve[:, 0], curve[:, 1 + block], color=_OURS if skipped else _GREY, linewidth=2 if skipped else 1)
    for name, line in (("skipped", {"color": _OURS, "linewidth": 2}), ("kept", {"color": _GREY, "linewidth": 1})):
        axes.plot([], [], label=name, **line)
    axes.legend(frameon=False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="round of comparisons", ylabel="preference", title="blocks in default's first search")
