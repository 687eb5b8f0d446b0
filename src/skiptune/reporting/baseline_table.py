"""The plan of a run beside models trained with the same settings, and rules that see no image."""

from __future__ import annotations

from ..core.formatting import change, count, duration
from ..core.measured_text import beside, difference, points, quality, verdict
from ..core.measurements import MeasuredParts
from .result_sections import Baseline
from .results import Results
from .tables import Table
from .wording import TOO_GOOD, measure_name, or_dash

_BLIND = (
    "This plan's model answers worse than a rule that sees no image: it has learned too little. Train longer, or with "
    "a lower train.learning_rate, above all where encoders are adapted too (scope: global)."
)


def baseline_tables(results: Results) -> list[Table]:
    """One table, on a part of the data that all were measured on; none if there is nothing to stand beside."""
    others, measured = results.beside, results.metric.parts
    shared = [part for part in measured if all(part in entry.parts for entry in others.values())]
    if not others or not shared:
        return []
    part = shared[0]
    rows = [_row(results, name, entry, part) for name, entry in {"this plan": _this_plan(results), **others}.items()]
    header = (
        "",
        measure_name(results),
        "this plan against it",
        "",
        "blocks skipped",
        "operations",
        "trained parameters",
        "training",
    )
    return [Table("Beside the baselines", header, rows, _note(results, part))]


def _note(results: Results, part: str) -> str:
    note = (
        f"Same data and training settings, measured on the {part} part. In brackets 95% intervals, as if "
        f"{results.metric.unit} were drawn independently; those of differences compare the answers to the same "
        f"{results.metric.unit}; operations are against the original model."
    )
    if "most_frequent" in results.priors:
        note += " The most frequent answer of training, over all texts or to the same text, is given without any image."
    against = [entry.parts[part].difference for entry in results.priors.values()]
    if any(found is not None and found.is_measured and found.value < 0 for found in against):
        note += f" {_BLIND}"
    if results.too_good(part):
        note += f" {TOO_GOOD}"
    if results.baselines and results.recipe is not None and results.recipe.start == "search":
        note += (
            " The search is the first part of the plan's training, and its time counts; the others take as many steps "
            "in all."
        )
    return note


def _this_plan(results: Results) -> Baseline:
    """The plan's own row, with the values that baselines have."""
    return Baseline(
        **results.metric.parts,
        skipped=results.plan.skipped if results.plan else (),
        trainable=results.parameters.finally_trained if results.parameters else None,
        seconds=_training_seconds(results),
        relative_macs=results.relative_macs,
    )


def _training_seconds(results: Results) -> float | None:
    """Of the whole training of the plan, of which the search may be the first part."""
    trained, searched = results.seconds.get("train"), results.seconds.get("search")
    whole = results.recipe is not None and results.recipe.start == "search"
    return trained + searched if whole and trained is not None and searched is not None else trained


def _row(results: Results, name: str, entry: MeasuredParts, part: str) -> tuple[str, ...]:
    own, found, measure = results.metric.parts[part], entry.parts[part], results.metric.measure
    told = "" if found is own else points(own.metrics[measure] - found.metrics[measure])  # up to 0.3, without interval
    quality_cells = (
        beside(name, results.metric.unit),
        quality(found, measure),
        told if found.difference is None else difference(found.difference),
        "" if found.difference is None else verdict(found.difference),
    )
    if not isinstance(entry, Baseline):
        return (*quality_cells, "", "", "", "")
    return (
        *quality_cells,
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
