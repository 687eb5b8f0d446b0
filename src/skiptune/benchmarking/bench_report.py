"""A benchmark as tables: in Markdown, on a terminal, and in files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ..core.files import write_atomically, write_json, write_text
from ..core.formatting import markdown_code, markdown_table
from ..core.progress import console
from .bench_result import BenchResult, BenchRow, ModelMemory

_PLAIN_WIDTH = 160
_FORMS = {"png": "bench.png", "markdown": "bench.md", "json": "bench.json"}


def write_bench(folder: Path, result: BenchResult) -> None:
    """Write ``bench.json``, ``bench.md`` and ``bench.png``, each whole or not at all."""
    write_json(folder / _FORMS["json"], result.to_dict())
    write_text(folder / _FORMS["markdown"], f"{markdown(result)}\n![Seconds of a forward pass]({_FORMS['png']})\n")
    from .bench_plot import draw  # matplotlib is slow to import

    write_atomically(folder / _FORMS["png"], lambda path: draw(path, result.rows))


def markdown(result: BenchResult) -> str:
    """The table, the settings, and the warnings."""
    settings = result.settings
    height, width = settings.image_size
    pixels = f"{height} × {width} pixels, " if height else ""
    step = "a decode step after " if settings.decode else ""
    lines = [
        f"{step}{pixels}{settings.text_length} tokens, {settings.dtype} on {settings.device}, "
        f"{settings.threads} threads; medians of the rounds, in brackets 10 % to 90 % of them; "
        "ratios are medians of each round's, in brackets the interval that holds the true one in 95 of 100 benchmarks.",
        "",
        markdown_table(_HEAD, [_named(_cells(row)) for row in result.rows]),
    ]
    if result.models:
        lines += ["", markdown_table(_MEMORY_HEAD, [_named(_memory_cells(entry)) for entry in result.models])]
    explained = sorted({(row.model, row.realised_to) for row in result.rows if row.realised_to})
    if explained:
        bases = ", ".join(markdown_code(base) for base in dict.fromkeys(base for _, base in explained))
        lines += ["", f"Realised: time saved over multiply-accumulates saved, each as a share of {bases}."]
    lines += [line for warning in result.warnings for line in ("", f"Warning: {warning}")]
    return "\n".join(lines) + "\n"


def print_bench(result: BenchResult) -> None:
    """The tables on standard output, the warnings on standard error."""
    out = Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH, highlight=False, markup=False)
    parts: list[tuple[Sequence[str], list[list[str]]]] = [(_HEAD, [_cells(row) for row in result.rows])]
    if result.models:
        parts.append((_MEMORY_HEAD, [_memory_cells(entry) for entry in result.models]))
    for head, rows in parts:
        table = Table(*head, box=None)
        for cells in rows:
            table.add_row(*cells)
        out.print(table)
    for warning in result.warnings:
        console.print(f"warning: {warning}", markup=False, highlight=False)


_HEAD = ("model", "batch", "skipped", "adapters", "ms", "× first", "rounds", "rows/s", "G MAC", "realised")
_MEMORY_HEAD = ("model", "load s", "peak loading MiB", "loaded MiB", "peak running MiB, by batch")


def _cells(row: BenchRow) -> list[str]:
    low, middle, high = (f"{seconds * 1e3:.1f}" for seconds in (row.p10_s, row.median_s, row.p90_s))
    below, above = row.ratio_interval
    return [
        row.model,
        str(row.batch),
        f"{len(row.skipped)}" + ("" if row.tokens is None else f", {row.tokens.brief}"),
        row.adapters,
        f"{middle} ({low}–{high})",
        f"{row.ratio:.3f} ({below:.3f}–{above:.3f})",
        str(row.rounds),
        f"{row.throughput:.1f}",
        f"{row.macs_g:.2f}",
        "" if row.realised is None else f"{row.realised:.2f}",
    ]


def _memory_cells(entry: ModelMemory) -> list[str]:
    peaks = ", ".join(f"{batch}: {_mebibytes(value)}" for batch, value in entry.peak_bytes.items())
    load = "" if entry.load_s is None else f"{entry.load_s:.2f}"
    return [entry.model, load, _mebibytes(entry.load_peak_bytes), _mebibytes(entry.loaded_bytes), peaks]


def _mebibytes(value: int | None) -> str:
    return "" if value is None else f"{value / 2**20:.0f}"


def _named(cells: Sequence[str]) -> list[str]:
    """Cells for Markdown: the model's name, which comes first, as code."""
    return [markdown_code(cells[0]), *cells[1:]]
