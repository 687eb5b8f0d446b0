"""The plan of a run beside the models that were trained with the same settings."""

from __future__ import annotations

from ..core.formatting import change, count, duration
from .result_sections import Baseline
from .results import Results
from .tables import Table
from .wording import BASELINES, TOO_GOOD, measure_name, or_dash, with_margin


def baseline_tables(results: Results) -> list[Table]:
    """One table, on a part of the data that all were measured on; none if there are no baselines."""
    others, measured = results.baselines, results.metric.parts
    shared = [part for part in measured if all(part in entry.parts for entry in others.values())]
    if not others or not shared:
        return []
    part = shared[0]
    rows = [_row(results, name, entry, part) for name, entry in {"this plan": _this_plan(results), **others}.items()]
    header = (
        "",
        measure_name(results),
        "difference",
        "blocks skipped",
        "operations",
        "trained parameters",
        "training",
    )
    note = (
        f"Same data and training settings, measured on the {part} part. ± is half the 95% interval of independent "
        f"{results.metric.unit}; operations are against the original model."
    )
    if results.too_good(part):
        note += f" {TOO_GOOD}"
    if results.recipe is not None and results.recipe.start == "search":
        note += " The search is the first part of the plan's training; the others take as many steps in all."
    return [Table("Beside the baselines", header, rows, note)]


def _this_plan(results: Results) -> Baseline:
    """The plan's own row, with the values that baselines have."""
    return Baseline(
        **results.metric.parts,
        skipped=results.plan.skipped if results.plan else (),
        trainable=results.parameters.finally_trained if results.parameters else None,
        seconds=results.seconds.get("train"),
        relative_macs=results.relative_macs,
    )


def _row(results: Results, name: str, entry: Baseline, part: str) -> tuple[str, ...]:
    measure = results.metric.measure
    own, found = results.metric.parts[part], entry.parts[part]
    difference = change(found.metrics[measure] - own.metrics[measure], digits=2).replace("%", " points")
    return (
        BASELINES.get(name, name),
        with_margin(found, measure),
        "" if found is own else difference,
        str(len(entry.skipped)),
        or_dash(change, _relative_macs(results, name, entry)),
        or_dash(count, entry.trainable),
        or_dash(duration, entry.seconds),
    )


def _relative_macs(results: Results, name: str, entry: Baseline) -> float | None:
    """Change of operations against the original model, if it is recorded or follows from recorded values."""
    macs = results.operations
    if entry.relative_macs is not None or macs is None:
        return entry.relative_macs
    costs = {"unskipped": macs.with_adapters, "full": macs.original}
    return costs[name] / macs.original - 1 if name in costs else None
