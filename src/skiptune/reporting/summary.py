"""The lines that a run ends with: the same numbers, in the same words, as in its report and its card."""

from __future__ import annotations

from collections.abc import Iterator

from ..core.formatting import change
from ..core.measured_text import (
    beside,
    cut_answers,
    difference,
    error_value,
    latency_change,
    latency_times,
    quality,
    timing_warnings,
    verdict,
)
from .results import Results
from .wording import budget, measure_name, pass_name, sizes

_RESERVED = " (validation that the search never saw)"
_WIDTH = 24  # of the names of lines


def summary_lines(results: Results) -> Iterator[str]:
    """What was skipped, how good the model is, beside what, and what it costs."""
    if results.plan is not None:
        names = f" ({', '.join(results.plan.skipped)})" if results.plan.skipped else ""
        yield _line("skipped blocks", f"{len(results.plan.skipped)} of {len(results.plan.blocks)}{names}")
    if results.plan is not None and results.plan.tokens is not None:
        yield _line("image tokens", str(results.plan.tokens))
    yield from _quality(results)
    if results.records is not None and results.records.bad_images:
        bad = results.records.bad_images
        yield _line("damaged images", f"{bad}, replaced by the mean colour (logs/bad-images.log)")
    yield from _cost(results)


def _quality(results: Results) -> Iterator[str]:
    metric, measure = results.metric, results.metric.measure
    for part, found in reversed(metric.parts.items()):
        told = " (the plan was chosen on them)" if results.too_good(part) else _RESERVED if part == "reserved" else ""
        told = f"{quality(found, measure)} of {found.count} {metric.unit}{told}"
        yield _line(f"{part} {measure_name(results)}", told)
        yield from (_line(f"  {error}", error_value(error, value)) for error, value in found.errors.items())
        if cut := cut_answers(found):
            yield _line("  note", cut)
    for name, entry in results.beside.items():
        for other in list(entry.parts.values())[:1]:
            against = other.difference
            told = "" if against is None else f"; this plan against it: {difference(against)}, {verdict(against)}"
            yield _line(f"  {beside(name, metric.unit)}", f"{quality(other, measure)}{told}")


def _cost(results: Results) -> Iterator[str]:
    if results.relative_macs is not None:
        told = ", ".join(filter(None, [sizes(results.input), budget(results, "macs")]))
        yield _line("operations", f"{change(results.relative_macs)} against the original model{told and f', {told}'}")
    latency = results.latency
    if latency is None:
        return
    for batch, models in latency.batches.items():
        slim, original = models["slim"], models["original"]
        asked = budget(results, "latency") if batch == "1" else ""
        told = f"{latency_change(slim)}, {latency_times(slim, original)}{asked and f', {asked}'}"
        yield _line(f"{pass_name(results)}, batch {batch}", told)
    yield from timing_warnings(latency)


def _line(name: str, told: str) -> str:
    return f"{name + ':':<{_WIDTH}} {told}"
