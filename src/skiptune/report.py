"""The report card of a run: ``report.html`` to look at, one file that loads nothing, and ``report.md`` to paste."""

from __future__ import annotations

import base64
import html
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import yaml
from PIL import Image

from .checks import write_text
from .plots import MODELS, latency_plot, losses_plot, preferences_plot, rounds_plot

_THUMBNAIL = 240  # pixels a side at most
_MINUS = "−"
_PARTS = ("test", "validation")


def write_report(folder: Path, results: dict[str, Any]) -> None:
    """Write ``report.html`` and ``report.md`` into ``folder``, each whole or not at all.

    Args:
        folder: the run's directory; made if it does not exist.
        results: content of ``results.json``. What is missing in it is left out of the report.

    Raises:
        RunError: the disk is full or not writable.
    """
    for name, text in (("report.md", _markdown(results)), ("report.html", _html(results))):
        write_text(folder / name, text.encode("utf-8", "replace").decode("utf-8"))  # file names may hold surrogates


@dataclass(frozen=True)
class Headline:
    """A number large enough to read across a room, and a line on what it means."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class Table:
    """Rows of plain text under a header; the first column names the row."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str = ""


# What the report says -------------------------------------------------------------------------------------------------


def _find(values: Any, *names: str) -> Any:
    """``values[name1][name2]…``, or ``None`` where something is missing."""
    for name in names:
        values = values.get(name) if isinstance(values, Mapping) else None
    return values


def _measured(results: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Measured parts by name, test first."""
    return {part: _find(results, "metric", part) for part in _PARTS if _find(results, "metric", part)}


def _headlines(results: Mapping[str, Any]) -> list[Headline]:
    return [*_accuracy_headline(results), *_cost_headlines(results), *_size_headlines(results)]


def _accuracy_headline(results: Mapping[str, Any]) -> list[Headline]:
    for part, found in _measured(results).items():
        unskipped = _find(results, "baselines", "unskipped", part, "accuracy")
        beside = "" if unskipped is None else f"; {_percent(unskipped)} with nothing skipped"
        label = f"{part.capitalize()} {_find(results, 'metric', 'name') or 'accuracy'}"
        return [Headline(label, _percent(found["accuracy"]), f"{found['count']:,} questions{beside}")]
    return []


def _cost_headlines(results: Mapping[str, Any]) -> list[Headline]:
    found = []
    macs = _find(results, "operations")
    if macs:
        note = f"{macs['with_plan']:.3g} instead of {macs['original']:.3g} G multiply-accumulates"
        found.append(Headline("Operations", _change(results["relative_macs"]), note))
    batches = _find(results, "latency", "batches") or {}
    sizes = sorted(batches, key=int)
    for size in dict.fromkeys(sizes[:1] + sizes[-1:]):
        slim, original = batches[size]["slim"], batches[size]["original"]
        note = f"{slim['median_s'] * 1e3:.3g} instead of {original['median_s'] * 1e3:.3g} ms a batch"
        found.append(Headline(f"Latency, batch of {size}", _change(slim["ratio"] - 1), note))
    return found


def _size_headlines(results: Mapping[str, Any]) -> list[Headline]:
    found, counts = [], _find(results, "parameters")
    size = _find(results, "bytes", "slim")
    if size is not None:
        note = (
            f"{_count(counts['slim'])} parameters; the original {_count(counts['original'])}" if counts else "on disk"
        )
        found.append(Headline("Slim model", f"{size / 2**20:.3g} MiB", note))
    if counts:
        note = f"{_count(counts['trainable'])}, as a share of the original model"
        found.append(Headline("Trainable parameters", _percent(counts["trainable"] / counts["original"]), note))
    return found


def _subtitle(results: Mapping[str, Any]) -> str:
    recipe, plan = _find(results, "recipe"), _find(results, "plan")
    model, data = _find(recipe, "model"), _find(recipe, "data", "train") or _find(recipe, "data", "name")
    what = " on ".join(_file_name(value) for value in (model, data) if value)
    if not plan:
        return what
    chosen = "" if plan["strategy"] == "none" else f" (plan: {plan['strategy']})"
    skipped = f"{len(plan['skipped'])} of {len(plan['blocks'])} blocks skipped{chosen}"
    seed = _find(results, "seed")
    return " · ".join([what, skipped] + ([] if seed is None else [f"seed {seed}"]))


def _tables(results: Mapping[str, Any]) -> list[Table]:
    """All tables that have rows; the baselines come first."""
    makers = (_baselines, _accuracy, _operations, _latency, _parameters, _data, _seconds, _versions)
    return [table for table in (make(results) for make in makers) if table.rows]


def _baselines(results: Mapping[str, Any]) -> Table:
    baselines, measured = _find(results, "baselines") or {}, _measured(results)
    header = ("", "accuracy", "against this plan", "blocks skipped", "operations", "trained parameters", "training")
    parts = [part for part in measured if all(entry.get(part) for entry in baselines.values())]
    if not baselines or not parts:
        return Table("", header, [])
    own = {measured_part: found for measured_part, found in measured.items() if measured_part == parts[0]}[parts[0]]
    searched = {
        parts[0]: own,
        "skipped": _find(results, "plan", "skipped") or [],
        "trainable": _find(results, "parameters", "trainable"),
        "seconds": _find(results, "seconds", "train"),
    }
    rows = []
    for name, entry in {"this plan": searched, **baselines}.items():
        accuracy = entry[parts[0]]["accuracy"]
        margin = 1.96 * math.sqrt(max(0.0, accuracy * (1 - accuracy)) / entry[parts[0]]["count"])
        difference = "" if entry is searched else _change(accuracy - own["accuracy"], 2).replace("%", " points")
        trainable, seconds, macs = entry.get("trainable"), entry.get("seconds"), _relative_macs(results, name, entry)
        rows.append(
            (
                {"unskipped": "nothing skipped", "random": "random plan", "full": "full tuning"}.get(name, name),
                f"{accuracy:.2%} ± {margin:.2%}",
                difference,
                str(len(entry["skipped"])),
                "–" if macs is None else _change(macs),
                "–" if trainable is None else _count(trainable),
                "–" if seconds is None else _duration(seconds),
            )
        )
    note = f"{parts[0].capitalize()} part; ± is the 95% interval if questions are independent of each other."
    return Table("Beside the baselines", header, rows, note)
