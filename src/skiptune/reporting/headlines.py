"""The main results of a run, each with a line on what it means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..core.formatting import change, count, file_name, milliseconds
from .results import Results
from .wording import measure_name


@dataclass(frozen=True)
class Headline:
    """A headline number, with a line on what it means."""

    label: str
    value: str
    note: str


def headlines(results: Results) -> list[Headline]:
    """Accuracy, operations, latency, size and trained parameters, if they are known."""
    return [*_quality(results), *_cost(results), *_size(results)]


def subtitle(results: Results) -> str:
    """One line: model, data, and the number of skipped blocks."""
    recipe, plan = results.recipe, results.plan
    names = (recipe.model and file_name(recipe.model), recipe.data.source) if recipe else ()
    parts = [" on ".join(filter(None, names))]
    if plan:
        parts += [f"{len(plan.skipped)} of {len(plan.blocks)} blocks skipped", f"plan: {plan.strategy}"]
    if results.seed is not None:
        parts.append(f"seed {results.seed}")
    return " · ".join(filter(None, parts))


def _quality(results: Results) -> Iterator[Headline]:
    metric = results.metric
    for part, found in list(metric.parts.items())[:1]:
        note = f"{found.count:,} {metric.unit}"
        beside = results.baselines["unskipped"].parts.get(part) if "unskipped" in results.baselines else None
        if beside is not None and (unskipped := beside.metrics.get(metric.measure)):
            note += f"; {unskipped:.1%} with nothing skipped"
        if results.too_good(part):
            note += "; the plan was chosen on them, so it is likely too good"
        if part == "reserved":
            note += " that the search never saw"
        yield Headline(f"{part.capitalize()} {measure_name(results)}", f"{found.metrics[metric.measure]:.1%}", note)


def _cost(results: Results) -> Iterator[Headline]:
    macs = results.operations
    if macs is not None and results.relative_macs is not None:
        note = f"{macs.with_plan:.3g} instead of {macs.original:.3g} G multiply-accumulates"
        yield Headline("Operations", change(results.relative_macs), note)
    batches = results.latency.batches if results.latency else {}
    sizes = sorted(batches, key=int)
    for size in dict.fromkeys(sizes[:1] + sizes[-1:]):
        slim, original = batches[size]["slim"], batches[size]["original"]
        note = f"{milliseconds(slim.median_s)} instead of {milliseconds(original.median_s)}"
        yield Headline(f"Latency, batch {size}", change(slim.ratio - 1), note)


def _size(results: Results) -> Iterator[Headline]:
    counts = results.parameters
    if results.bytes is not None:
        note = f"{count(counts.slim)} parameters instead of {count(counts.original)}" if counts else "on disk"
        yield Headline("Slim model", f"{results.bytes.slim / 2**20:.3g} MiB", note)
    if counts is not None:
        note = f"{count(counts.finally_trained)}, against {count(counts.original)} of the original"
        yield Headline("Trainable parameters", f"{counts.finally_trained / counts.original:.1%}", note)
