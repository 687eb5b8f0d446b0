"""Colours and style of every figure. Colours are those of Okabe and Ito."""

from __future__ import annotations

from typing import Any

BLUE, SKY, VERMILLION, PURPLE = "#0072B2", "#56B4E9", "#D55E00", "#CC79A7"
GREY, INK = "#767676", "#222222"
FONT_SIZE = 9  # points

PLOT_STYLE: Any = {
    "font.size": FONT_SIZE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": FONT_SIZE,
    "axes.titlelocation": "left",
    "hatch.linewidth": 1.2,
    "legend.frameon": False,
    "svg.fonttype": "path",  # the same on every machine, independent of its fonts
    "svg.hashsalt": "skiptune",  # the same file for the same numbers
}


def literal(name: str) -> str:
    """Escape a name, so that matplotlib does not take it for mathematics."""
    return name.replace("$", r"\$")
