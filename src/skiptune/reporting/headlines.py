"""The main results of a run, each with a line on what it means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..core.formatting import change, count, file_name
from ..core.measured_text import (
    busy_batches,
    difference_range,
    latency_range,
    latency_times,
    latency_verdict,
    points,
    quality_range,
    share,
    verdict,
)
from ..core.measurements import Measured
from .results import Results
from .wording import budget, measure_name, pass_name, sizes


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
        parts += [plan.tokens.brief] if plan.tokens else []
    if results.seed is not None:
        parts.append(f"seed {results.seed}")
    return " · ".join(filter(None, parts))


def _quality(results: Results) -> Iterator[Headline]:
    metric, measure = results.metric, results.metric.measure
    for part, found in list(metric.parts.items())[:1]:
        unseen = " that the search never saw" if part == "reserved" else ""
        notes = [
            f"{found.count:,} {metric.unit}{unseen}" if found.count else "",
            _between(quality_range(found, measure)),
            "the plan was chosen on them, so it is likely too good" if results.too_good(part) else "",
        ]
        yield Headline(f"{part.capitalize()} {measure_name(results)}", share(found.metrics[measure]), _joined(notes))
        whole = results.baselines.get("unskipped")
        other = whole.parts.get(part) if whole is not None else None
        if other is not None:
            yield _cost_of_skipping(other, measure)


def _cost_of_skipping(other: Measured, measure: str) -> Headline:
    """What the model with nothing skipped, whose measures are ``other``, has more or less."""
    unskipped = f"{share(other.metrics[measure])} with nothing skipped"
    if other.difference is None:
        return Headline("With nothing skipped", share(other.metrics[measure]), "same adapters and training")
    notes = [f"against {unskipped}", _between(difference_range(other.difference)), verdict(other.difference)]
    return Headline("Skipping changed it by", points(other.difference.value), _joined(notes))


def _cost(results: Results) -> Iterator[Headline]:
    macs = results.operations
    if macs is not None and results.relative_macs is not None:
        note = f"{macs.with_plan:.3g} instead of {macs.original:.3g} G multiply-accumulates"
        notes = [f"{note} {sizes(results.input)}".strip(), budget(results, "macs")]
        yield Headline("Operations", change(results.relative_macs), _joined(notes))
    batches = results.latency.batches if results.latency else {}
    ordered = sorted(batches, key=int)
    for batch in dict.fromkeys(ordered[:1] + ordered[-1:]):
        slim, original = batches[batch]["slim"], batches[batch]["original"]
        asked = budget(results, "latency") if batch == "1" else ""
        trusted = busy_batches({batch: batches[batch]})
        between = _between(latency_range(slim))
        notes = [latency_times(slim, original), between, latency_verdict(slim), asked, trusted or ""]
        yield Headline(f"{pass_name(results).capitalize()}, batch {batch}", change(slim.ratio - 1), _joined(notes))


def _size(results: Results) -> Iterator[Headline]:
    counts = results.parameters
    if results.bytes is not None:
        note = f"{count(counts.slim)} parameters instead of {count(counts.original)}" if counts else "on disk"
        yield Headline("Slim model", f"{results.bytes.slim / 2**20:.3g} MiB", note)
    if counts is not None:
        note = f"{count(counts.finally_trained)}, against {count(counts.original)} of the original"
        yield Headline("Trainable parameters", f"{counts.finally_trained / counts.original:.1%}", note)


def _between(ends: str) -> str:
    return ends and f"95%: {ends}"


def _joined(notes: Iterable[str]) -> str:
    return "; ".join(filter(None, notes))
