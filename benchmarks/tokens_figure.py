"""The figure of ``token_accuracy.py``: accuracy against latency of skipped blocks, fewer tokens, and both.

    python benchmarks/tokens_figure.py [benchmarks/results/tokens_easy_vqa.json] [--output docs/pictures/tokens.svg]

A point is the mean over seeds of one method and budget, with one standard error each way. Lines join a method's
budgets.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from skiptune.core.text_files import read_json
from skiptune.reporting.plot_style import BLUE, GREY, INK, PLOT_STYLE, PURPLE, SKY, VERMILLION

#: Colour, marker and line of a method.
STYLES = {
    "lora": (INK, "*", ""),
    "blocks": (VERMILLION, "s", "-"),
    "tokens": (SKY, "^", "-"),
    "both": (BLUE, "o", "-"),
    "uniform": (PURPLE, "v", ":"),
    "random": (GREY, "x", ":"),
}
NAMES = {
    "lora": "nothing skipped",
    "both": "blocks and tokens",
    "random": "random mixtures",
    "uniform": "uniform schedule",
}


def points(rows: Sequence[dict[str, Any]], method: str, batch: str) -> list[tuple[float, float, float, float]]:
    """Latency and accuracy in percent with their standard errors, a point for each budget, slowest first."""
    found = []
    for saved in sorted({row["saved"] for row in rows}):
        own = [row for row in rows if (row["method"], row["saved"]) == (method, saved) and "latency" in row]
        if own:
            times = [100 * row["latency"][batch]["ratio"] for row in own]
            right = [100 * row["test_accuracy"] for row in own]
            found.append((statistics.mean(times), statistics.mean(right), _error(times), _error(right)))
    return found


def _error(values: Sequence[float]) -> float:
    return statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Save it, a panel for each batch size."""
    batches = list(next(row["latency"] for row in rows if "latency" in row))
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure((4.2 * len(batches), 3.4), layout="constrained")
        for axes, batch in zip(figure.subplots(1, len(batches), squeeze=False)[0], batches, strict=True):
            for method, (color, marker, line) in STYLES.items():
                if found := points(rows, method, batch):
                    x, y, across, up = zip(*found, strict=True)
                    style = {"color": color, "marker": marker, "linestyle": line or "none", "markersize": 6}
                    axes.errorbar(x, y, up, across, label=NAMES.get(method, method), elinewidth=0.8, **style)
            axes.set(title=f"batch of {batch}", xlabel="latency, % of the model with nothing skipped")
            axes.grid(color="#e4e4e4", linewidth=0.8)
        axes.legend(loc="lower right")
        figure.axes[0].set_ylabel("test accuracy, %")
        figure.savefig(path, format=path.suffix[1:], metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = Path(__file__).parent
    parser.add_argument("results", type=Path, nargs="?", default=here / "results" / "tokens_easy_vqa.json")
    parser.add_argument("--output", type=Path, default=here.parent / "docs" / "pictures" / "tokens.svg")
    options = parser.parse_args()
    draw(read_json(options.results)["runs"], options.output)


if __name__ == "__main__":
    main()
