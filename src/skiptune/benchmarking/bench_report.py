"""A benchmark as a table in Markdown, and as a figure."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rich.console import Console
from rich.table import Table

from ..core.files import write_atomically, write_json, write_text
from ..core.formatting import markdown_code, markdown_table
from ..core.progress import console
from ..reporting.plot_style import BLUE, GREY, INK, PLOT_STYLE, VERMILLION, plain

_KINDS = {"none": (GREY, "s"), "bottleneck": (VERMILLION, "o"), "lora": (BLUE, "D")}  # colour and shape say the same
_NAMES = {"none": "no adapters", "bottleneck": "bottleneck", "lora": "LoRA, merged"}
_PLAIN_WIDTH = 160
_FORMS = {"png": "bench.png", "markdown": "bench.md", "json": "bench.json"}


def write_bench(folder: Path, result: Mapping[str, Any]) -> None:
    """Write ``bench.json``, ``bench.md`` and ``bench.png``, each whole or not at all."""
    write_json(folder / _FORMS["json"], result)
    write_text(folder / _FORMS["markdown"], f"{markdown(result)}\n![Seconds of a forward pass]({_FORMS['png']})\n")
    write_atomically(folder / _FORMS["png"], lambda path: draw(path, result["rows"]))


def markdown(result: Mapping[str, Any]) -> str:
    """The table, what was measured, and the warnings."""
    settings = result["settings"]
    height, width = settings["image_size"]
    lines = [
        f"{height} × {width} pixels, {settings['text_length']} tokens, {settings['dtype']} on {settings['device']}, "
        f"{settings['threads']} threads; medians of {settings['repeats']} rounds, in brackets 10 % to 90 % of them; "
        "ratios are medians of each round's, in brackets the interval that holds the true one in 95 of 100 benchmarks.",
        "",
        markdown_table(_HEAD, [_named(_cells(row)) for row in result["rows"]]),
    ]
    if result["models"]:
        lines += ["", markdown_table(_MEMORY_HEAD, [_named(_memory_cells(entry)) for entry in result["models"]])]
    explained = sorted({(row["model"], row["realised_to"]) for row in result["rows"] if row["realised_to"]})
    if explained:
        bases = ", ".join(markdown_code(base) for base in dict.fromkeys(base for _, base in explained))
        lines += ["", f"Realised: time saved over multiply-accumulates saved, each as a share of {bases}."]
    lines += [line for warning in result["warnings"] for line in ("", f"Warning: {warning}")]
    return "\n".join(lines) + "\n"


def print_bench(result: Mapping[str, Any]) -> None:
    """The tables on standard output, the warnings on standard error."""
    out = Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH, highlight=False, markup=False)
    parts: list[tuple[Sequence[str], list[list[str]]]] = [(_HEAD, [_cells(row) for row in result["rows"]])]
    if result["models"]:
        parts.append((_MEMORY_HEAD, [_memory_cells(entry) for entry in result["models"]]))
    for head, rows in parts:
        table = Table(*head, box=None)
        for cells in rows:
            table.add_row(*cells)
        out.print(table)
    for warning in result["warnings"]:
        console.print(f"warning: {warning}", markup=False, highlight=False)


_HEAD = ("model", "batch", "skipped", "adapters", "ms", "× first", "rows/s", "G MAC", "realised")
_MEMORY_HEAD = ("model", "load s", "peak loading MiB", "loaded MiB", "peak running MiB, by batch")


def _cells(row: Mapping[str, Any]) -> list[str]:
    low, middle, high = (f"{row[key] * 1e3:.1f}" for key in ("p10_s", "median_s", "p90_s"))
    below, above = row["ratio_interval"]
    return [
        row["model"],
        str(row["batch"]),
        str(len(row["skipped"])),
        row["adapters"],
        f"{middle} ({low}–{high})",
        f"{row['ratio']:.3f} ({below:.3f}–{above:.3f})",
        f"{row['throughput']:.1f}",
        f"{row['macs_g']:.2f}",
        "" if row["realised"] is None else f"{row['realised']:.2f}",
    ]


def _memory_cells(entry: Mapping[str, Any]) -> list[str]:
    peaks = ", ".join(f"{batch}: {_mebibytes(value)}" for batch, value in entry["peak_bytes"].items())
    load = "" if entry["load_s"] is None else f"{entry['load_s']:.2f}"
    return [entry["model"], load, _mebibytes(entry["load_peak_bytes"]), _mebibytes(entry["loaded_bytes"]), peaks]


def _mebibytes(value: int | None) -> str:
    return "" if value is None else f"{value / 2**20:.0f}"


def _named(cells: Sequence[str]) -> list[str]:
    """Cells for Markdown: the model's name, which comes first, as code."""
    return [markdown_code(cells[0]), *cells[1:]]


def draw(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Save a PNG: one panel per batch size, medians as points, 10th to 90th percentile as whiskers."""
    batches = list(dict.fromkeys(row["batch"] for row in rows))
    most = max(sum(row["batch"] == batch for row in rows) for batch in batches)
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure((8.0, 0.3 + len(batches) * (0.9 + 0.28 * most)), layout="constrained")
        panels = figure.subplots(len(batches), squeeze=False)[:, 0]
        for axes, batch in zip(panels, batches, strict=True):
            _panel(axes, [row for row in rows if row["batch"] == batch])
            axes.set_title(f"batch of {batch}")
        _explain(figure, rows)
        panels[-1].set_xlabel("milliseconds (10 % to 90 % of the rounds), × first model")
        figure.savefig(path, format="png", dpi=150)


def _panel(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    longest = max(row["p90_s"] for row in rows) * 1e3
    for place, row in enumerate(rows):
        low, middle, high = (row[key] * 1e3 for key in ("p10_s", "median_s", "p90_s"))
        color, shape = _KINDS[row["adapters"]]
        axes.plot([low, high], [place, place], color=INK, linewidth=1.2, marker="|", markersize=6)
        axes.plot([middle], [place], color=color, marker=shape, markersize=6, linestyle="none")
        text = f"{middle:.{0 if middle >= 100 else 1}f} ms" + (f"  ×{row['ratio']:.2f}" if place else "")
        axes.text(high + 0.03 * longest, place, text, va="center", color=INK)
    axes.set_yticks(range(len(rows)), [plain(_short(row["model"])) for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, 1.5 * longest)
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.8)
    axes.tick_params(axis="y", length=0)


def _explain(figure: Figure, rows: Sequence[Mapping[str, Any]]) -> None:
    """A legend for the kinds of adapters, if there are several."""
    kinds = [kind for kind in _KINDS if any(row["adapters"] == kind for row in rows)]
    if len(kinds) < 2:
        return
    marks = [Line2D([], [], color=_KINDS[kind][0], marker=_KINDS[kind][1], linestyle="none") for kind in kinds]
    figure.legend(marks, [_NAMES[kind] for kind in kinds], loc="outside lower right", ncols=len(kinds))


def _short(name: str, longest: int = 44) -> str:
    return name if len(name) <= longest else f"{name[: longest // 2]}…{name[-longest // 2 + 1 :]}"
