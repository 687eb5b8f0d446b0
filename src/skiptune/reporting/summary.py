"""A run's results in words and figures: the headlines and tables of the report card, whatever its format."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import yaml

from ..core.formatting import change, count, duration, milliseconds

#: What the report calls the models whose latency is compared.
MODELS = {"original": "original", "unskipped": "nothing skipped", "slim": "slim"}
_BASELINES = {"unskipped": "nothing skipped", "random": "random plan", "full": "full tuning"}
_COUNTS = ("loss", "count", "unknown_answers")  # what is measured beside the task's own measures
_COSTED = {"unskipped": "with_adapters", "full": "original"}  # baselines that cost what another model does


@dataclass(frozen=True)
class Headline:
    """A number to read at a glance, and a line on what it means."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class Table:
    """Rows of plain text under a header; the first column names the row."""

    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str = ""


# What the report says, whatever its format ----------------------------------------------------------------------------


def find(values: Any, *names: str) -> Any:
    """``values[name][name]…``, or ``None`` where something is missing."""
    for name in names:
        values = values.get(name) if isinstance(values, Mapping) else None
    return values


def _measured(results: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What was measured by part of the data; the test part first, if there is one."""
    return {part: found for part in ("test", "validation") if (found := find(results, "metric", part))}


def _metric(results: Mapping[str, Any]) -> str:
    """Under what the measure that the run is judged by is kept."""
    name = str(find(results, "metric", "name"))
    return name if any(name in found for found in _measured(results).values()) else "accuracy"


def _unit(results: Mapping[str, Any]) -> str:
    """What the records are."""
    return str(find(results, "metric", "unit") or "questions")


def _title(results: Mapping[str, Any]) -> str:
    """What that measure is called."""
    return _name(str(find(results, "metric", "name") or "accuracy"))


def _name(metric: str) -> str:
    return metric.replace("_", " ")


def subtitle(results: Mapping[str, Any]) -> str:
    """What was adapted to what, and how many blocks it does without."""
    recipe, plan, seed = find(results, "recipe"), find(results, "plan"), find(results, "seed")
    names = (find(recipe, "model"), find(recipe, "data", "train") or find(recipe, "data", "name"))
    parts = [" on ".join(file_name(str(name)) for name in names if name)]
    if plan:
        parts.append(f"{len(plan['skipped'])} of {len(plan['blocks'])} blocks skipped")
        parts.append(f"plan: {plan.get('strategy', 'given')}")
    return " · ".join([part for part in parts if part] + ([] if seed is None else [f"seed {seed}"]))


def headlines(results: Mapping[str, Any]) -> list[Headline]:
    """The figures a run is judged by: accuracy, operations, latency, size, trained parameters."""
    found = []
    for part, measured in list(_measured(results).items())[:1]:
        unskipped = find(results, "baselines", "unskipped", part, _metric(results))
        note = f"{measured['count']:,} {_unit(results)}" + (
            f"; {unskipped:.1%} with nothing skipped" if unskipped else ""
        )
        found.append(Headline(f"{part.capitalize()} {_title(results)}", f"{measured[_metric(results)]:.1%}", note))
    macs = find(results, "operations")
    if macs:
        note = f"{macs['with_plan']:.3g} instead of {macs['original']:.3g} G multiply-accumulates"
        found.append(Headline("Operations", change(results["relative_macs"]), note))
    batches = find(results, "latency", "batches") or {}
    sizes = sorted(batches, key=int)
    for size in dict.fromkeys(sizes[:1] + sizes[-1:]):
        slim, original = batches[size]["slim"], batches[size]["original"]
        note = f"{milliseconds(slim['median_s'])} instead of {milliseconds(original['median_s'])}"
        found.append(Headline(f"Latency, batch {size}", change(slim["ratio"] - 1), note))
    return found + _size_headlines(results)


def _size_headlines(results: Mapping[str, Any]) -> list[Headline]:
    size, counts = find(results, "bytes", "slim"), find(results, "parameters")
    found = []
    if size is not None:
        note = f"{count(counts['slim'])} parameters instead of {count(counts['original'])}" if counts else "on disk"
        found.append(Headline("Slim model", f"{size / 2**20:.3g} MiB", note))
    if counts:
        trained = _trained(counts)
        note = f"{count(trained)}, against {count(counts['original'])} of the original"
        found.append(Headline("Trainable parameters", f"{trained / counts['original']:.1%}", note))
    return found


def _trained(counts: Mapping[str, Any] | None) -> Any:
    """What the final training trains: the adapters that the plan uses, head and small parts."""
    return None if counts is None else counts.get("trained", counts.get("trainable"))


def tables(results: Mapping[str, Any]) -> list[Table]:
    """Everything else that is known in numbers, as tables that have rows."""
    makers = (_accuracy, _search, _operations, _latency, _parameters, _data, _seconds, _versions)
    return [table for table in (make(results) for make in makers) if table.rows]


def baselines(results: Mapping[str, Any]) -> list[Table]:
    """The plan beside the baselines, measured on the same part; empty if there are none."""
    others, measured = find(results, "baselines") or {}, _measured(results)
    shared = [part for part in measured if all(entry.get(part) for entry in others.values())]
    if not others or not shared:
        return []
    part = shared[0]
    searched = {
        part: measured[part],
        "skipped": find(results, "plan", "skipped") or (),
        "trainable": _trained(find(results, "parameters")),
        "seconds": find(results, "seconds", "train"),
        "relative_macs": find(results, "relative_macs"),
    }
    rows = [_baseline_row(results, name, entry, part) for name, entry in {"this plan": searched, **others}.items()]
    header = (
        "",
        _title(results),
        "difference",
        "blocks skipped",
        "operations",
        "trained parameters",
        "training",
    )
    note = (
        f"Same data and training settings, measured on the {part} part. ± is half the 95% interval of independent "
        f"{_unit(results)}; operations are against the original model."
    )
    if find(results, "recipe", "start") == "search":
        note += " The search is the first part of the plan's training; the others take as many steps in all."
    return [Table("Beside the baselines", header, rows, note)]


def _baseline_row(results: Mapping[str, Any], name: str, entry: Mapping[str, Any], part: str) -> tuple[str, ...]:
    own, found, metric = _measured(results)[part], entry[part], _metric(results)
    difference = change(found[metric] - own[metric], digits=2).replace("%", " points")
    return (
        _BASELINES.get(name, name),
        f"{found[metric]:.2%} ± {_margin(found, metric):.2%}",
        "" if found is own else difference,
        str(len(entry["skipped"])),
        _or_dash(change, _relative_macs(results, name, entry)),
        _or_dash(count, entry.get("trainable")),
        _or_dash(duration, entry.get("seconds")),
    )


def _relative_macs(results: Mapping[str, Any], name: str, entry: Mapping[str, Any]) -> float | None:
    """Change of operations against the original model, where it is recorded or follows from what is."""
    macs = find(results, "operations")
    if "relative_macs" in entry or not macs or name not in _COSTED:
        return entry.get("relative_macs")
    return float(macs[_COSTED[name]] / macs["original"] - 1)


def _margin(found: Mapping[str, Any], metric: str) -> float:
    """Half of a 95% interval; for soft scores, whose variance is not kept, the largest it can be."""
    value = found[metric]
    return 1.96 * math.sqrt(max(0.0, value * (1 - value)) / found["count"])


def _accuracy(results: Mapping[str, Any]) -> Table:
    measured, metric = _measured(results), _metric(results)
    others = [name for name in next(iter(measured.values()), {}) if name not in (metric, *_COUNTS)]
    rows = [
        (
            part,
            f"{found[metric]:.2%} ± {_margin(found, metric):.2%}",
            *(f"{found[name]:.2%}" for name in others),
            f"{found['loss']:.4g}",
            f"{found['count']:,}",
            f"{found.get('unknown_answers', 0):,}",
        )
        for part, found in measured.items()
    ]
    header = ("", _title(results), *map(_name, others), "loss", _unit(results), "answer not in vocabulary")
    return Table("Measured", header, rows)


def _search(results: Mapping[str, Any]) -> Table:
    """What was compared, what that cost, and how sure the choice is."""
    plan = find(results, "plan") or {}
    took, search = plan.get("comparisons"), find(results, "seconds", "search")
    if not took:
        return Table("Search", (), [])
    tried = {tuple(one) for entry in plan.get("rounds", []) for one in entry["candidates"]}
    rows = [
        ("strategy", plan.get("strategy", "given")),
        ("rounds of comparisons", f"{len(plan.get('rounds', []))}"),
        (
            "subnetworks compared",
            f"{took['subnetworks']}, of them {len(tried)} different" if tried else str(took["subnetworks"]),
        ),
        ("time for that", f"{duration(took['seconds'])} of the search's {_or_dash(duration, search)}"),
    ]
    if "confidence" in plan:
        regret, spread = plan["expected_regret"], plan["spread"]
        rows += [
            ("probability that no other set is better", f"{plan['confidence']:.0%}"),
            ("sets that may be the best, with 95%", f"{plan['likely']} of {plan['sets']}"),
            ("loss expected to be lost against it", f"{regret:.3g}; sets differ by {spread:.3g} (standard deviation)"),
        ]
    note = ""
    if plan.get("likely", 1) > 1:
        note = (
            "Several sets cannot be told apart with what was compared: another seed may choose another of them, and is "
            "expected to lose no more than is said above."
        )
    return Table("Search", ("", ""), rows, note)


def _operations(results: Mapping[str, Any]) -> Table:
    macs, size = find(results, "operations") or {}, find(results, "input", "image_size")
    names = {"original": "original", "with_adapters": "nothing skipped", "with_plan": "slim"}
    rows = [
        (text, f"{macs[name]:.4g}", change(macs[name] / macs["original"] - 1))
        for name, text in names.items()
        if name in macs
    ]
    length = find(results, "input", "text_length")
    note = f"One image of {size[0]} × {size[1]} pixels and {length} tokens of text." if size else ""
    return Table("Operations", ("", "G multiply-accumulates", "change"), rows, note)


def _latency(results: Mapping[str, Any]) -> Table:
    found = find(results, "latency") or {}
    rows = [
        (
            f"{text}, batch of {batch}",
            *(milliseconds(times[name][key]) for key in ("median_s", "p10_s", "p90_s")),
            f"×{times[name]['ratio']:.3f}",
        )
        for batch, times in (found.get("batches") or {}).items()
        for name, text in MODELS.items()
        if name in times
    ]
    note = f"Device {found.get('device')}, threads: {found.get('threads')}; models took turns, ratios are medians "
    return Table("Latency", ("", "median", "10%", "90%", "ratio"), rows, note + "over the turns.")


def _parameters(results: Mapping[str, Any]) -> Table:
    counts = find(results, "parameters") or {}
    names = {
        "total": "total in search",
        "trainable": "trained in search",
        "trained": "trained with the plan",
        "body": "frozen body",
    }
    rows = [(names.get(name, name.replace("_", " ")), f"{number:,}") for name, number in counts.items()]
    return Table("Parameters", ("", "count"), rows)


def _data(results: Mapping[str, Any]) -> Table:
    records = find(results, "records") or {}
    bad = records.get("bad_rows") or {}
    rows = [(part, f"{n:,}", f"{bad.get(part, 0):,}") for part, n in records.items() if not part.startswith("bad_")]
    answers = find(results, "answers")
    note = f"{answers:,} different answers." if answers else ""
    return Table("Data", ("", _unit(results), "rows left out"), rows, note)


def _seconds(results: Mapping[str, Any]) -> Table:
    found = {name: value for name, value in (find(results, "seconds") or {}).items() if value is not None}
    rows = [(_BASELINES.get(name, name), duration(value)) for name, value in found.items()]
    return Table("Time taken", ("", "duration"), rows)


def _versions(results: Mapping[str, Any]) -> Table:
    own = {"skiptune": results["skiptune_version"]} if "skiptune_version" in results else {}
    rows = [(name, str(version)) for name, version in {**own, **(find(results, "versions") or {})}.items()]
    return Table("Versions", ("", "version"), rows)


def recipe_text(results: Mapping[str, Any]) -> str:
    """The recipe as YAML, with absolute paths cut to their last part."""
    recipe = _map_text(find(results, "recipe") or {}, file_name)
    return yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True, width=110) if recipe else ""


def outcome(sample: Mapping[str, Any]) -> tuple[str, str, str]:
    """Class, symbol and word for an answer's score."""
    if not sample["accepted"]:
        return "unknown", "?", "nothing to compare with"
    if sample["score"] <= 0:
        return "wrong", "✗", "wrong"
    return ("right", "✓", "right") if sample["score"] >= 1 else ("partly", "◐", f"scores {sample['score']:.2g}")


# Numbers and names as text --------------------------------------------------------------------------------------------


def _or_dash(show: Callable[[float], str], value: float | None) -> str:
    return "–" if value is None else show(value)


def file_name(text: str) -> str:
    """The last part of an absolute path; anything else as it is."""
    kinds = (PurePosixPath(text), PureWindowsPath(text))
    return next((kind.name or text for kind in kinds if kind.is_absolute()), text)


def _map_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _map_text(entry, change) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_map_text(entry, change) for entry in value]
    return change(value) if isinstance(value, str) else value
