"""The figure of a comparison of search strategies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .plot_style import INK, PLOT_STYLE, literal

if TYPE_CHECKING:  # it imports torch, which a figure does not need
    from ..searching.strategy_comparison import StrategyRow

_WIDTH = 5.6  # inches
#: Share of the best plan's loss that the axis shows at least, so that noise does not look like a difference.
_LEAST = 0.02
_AXIS = f"held-out loss above the best plan's (at least {_LEAST:.0%} of it is shown)"


def strategy_plot(path: Path, rows: Sequence[StrategyRow]) -> None:
    """Save a PNG: how far each strategy's plan lies above the best of all, the best on top, with what it cost.

    The axis shows at least 2 % of the best plan's loss.
    """
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure((_WIDTH, 0.9 + 0.35 * len(rows)), layout="constrained")
        axes = figure.subplots()
        labels = [f"{literal(row.strategy)} (+{row.cost:.0%})" for row in rows]
        axes.barh(range(len(rows)), [row.regret for row in rows], color=INK, height=0.6)
        most = max(*(row.regret for row in rows), _LEAST * abs(min(row.loss for row in rows)))
        for place, row in enumerate(rows):
            axes.text(row.regret + 0.02 * most, place, f"{row.regret:.4f}", va="center", color=INK)
        axes.set_yticks(range(len(rows)), labels)
        axes.invert_yaxis()
        axes.set(xlabel=_AXIS, title="in brackets: cost over the training alone")
        axes.set_xlim(0, 1.2 * most or 1.0)  # room for the number beside the longest bar
        axes.xaxis.set_major_locator(MaxNLocator(5))
        figure.savefig(path, format="png", dpi=150)
