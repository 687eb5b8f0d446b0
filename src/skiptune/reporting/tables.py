"""The tables of the report card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..core.formatting import change, duration, milliseconds, sentence
from ..core.measured_text import TIMED, beside, error_value, latency_change, quality, timing_warnings
from .result_sections import ChosenPlan
from .results import Results
from .wording import (
    PREFILL,
    RESERVED,
    TOO_GOOD,
    budget,
    measure_name,
    or_dash,
    pass_name,
    readable,
    sizes,
    writes,
)

_IN_A_ROW = 10  # rounds of timing


@dataclass(frozen=True)
class Table:
    """Rows of plain text under a header; the first column names the row."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def tables(results: Results) -> list[Table]:
    """All tables that have rows, without those of :mod:`skiptune.reporting.baseline_table`."""
    makers: tuple[Callable[[Results], Table], ...]
    makers = (
        _quality,
        _search,
        _nested,
        _protected,
        _operations,
        _latency,
        _rounds,
        _parameters,
        _data,
        _seconds,
        _versions,
    )
    return [table for table in (make(results) for make in makers) if table.rows]


def _quality(results: Results) -> Table:
    metric, measure = results.metric, results.metric.measure
    first = next(iter(metric.parts.values()), None)
    others = [name for name in first.metrics if name != measure] if first else []
    uncounted = _could_not_be_right(results)
    rows = [
        (
            part,
            quality(found, measure),
            *(f"{found.metrics[name]:.2%}" for name in others),
            or_dash("{:.4g}".format, found.loss),
            or_dash("{:,}".format, found.count),
            *(f"{getattr(found, name):,}" for name in uncounted),
        )
        for part, found in metric.parts.items()
    ]
    header = ("", measure_name(results), *map(readable, others), "loss", metric.unit, *uncounted.values())
    told = ["In brackets: 95% intervals."] if rows else []
    told += [TOO_GOOD for part in metric.parts if results.too_good(part)] + [RESERVED] * ("reserved" in metric.parts)
    for part, found in metric.parts.items():
        told += [f"{part.capitalize()}: {name} {error_value(name, value)}." for name, value in found.errors.items()]
    return Table("Measured", header, rows, " ".join(told))


def _could_not_be_right(results: Results) -> dict[str, str]:
    """The field that counts records which a model could not answer rightly, or whole, and its title."""
    if results.recipe is None or results.recipe.task != "generation":
        return {"unknown_answers": "answer not in vocabulary"}
    if results.metric.name == "likelihood":
        return {}
    if results.metric.name.startswith("choice"):
        return {"unknown_answers": "right answer not among the options"}
    return {"cut_answers": "answers cut at max_new_tokens"}


def _search(results: Results) -> Table:
    """What the search compared, its cost, and how certain the choice is."""
    plan = results.plan
    if plan is None or plan.comparisons is None:
        return Table("Search", (), [])
    compared = plan.comparisons
    tried = {candidate for entry in plan.rounds for candidate in entry.candidates}
    different = f", of them {len(tried)} different" if tried else ""
    whole = or_dash(duration, results.seconds.get("search"))
    rows = [
        ("strategy", plan.strategy),
        ("rounds of comparisons", f"{len(plan.rounds)}"),
        ("subnetworks compared", f"{compared.subnetworks}{different}"),
        ("time for that", f"{duration(compared.seconds)} of the search's {whole}"),
        *_certainty(plan),
    ]
    note = ""
    if plan.likely is not None and plan.likely > 1:
        note = (
            "Several sets cannot be told apart with what was compared: another seed may choose another of them, and is "
            "expected to lose no more than is said above."
        )
    return Table("Search", ("", ""), rows, note)


def _certainty(plan: ChosenPlan) -> list[tuple[str, str]]:
    if plan.confidence is None:
        return []
    spread = f"standard deviation over sets {plan.spread:.3g}"
    return [
        ("probability that no other set is better", f"{plan.confidence:.0%}"),
        ("sets that may be the best, with 95%", f"{plan.likely} of {plan.sets}"),
        ("expected extra loss against the best set", f"{plan.expected_regret:.3g}; {spread}"),
    ]


def _nested(results: Results) -> Table:
    """The losses of one training for every number of skipped blocks."""
    nested = results.plan.nested if results.plan else None
    if nested is None:
        return Table("Fewer blocks skipped", (), [])
    names = ["none", *nested.order]
    rows = [(str(count), names[count], f"{loss:.4f}") for count, loss in enumerate(nested.losses)]
    note = "One training for all of them; skiptune export RUN OUT --skip-count K writes any."
    return Table("Fewer blocks skipped", ("blocks skipped", "also skipped", "held-out loss"), rows, note)


def _protected(results: Results) -> Table:
    """The blocks that no search could skip."""
    protected = (results.plan and results.plan.protected) or {}
    return Table("Blocks that must be kept", ("", "because"), [*protected.items()])


def _operations(results: Results) -> Table:
    macs = results.operations
    rows = []
    if macs is not None:
        costs = {"original": macs.original, "nothing skipped": macs.with_adapters, "slim": macs.with_plan}
        rows = [(name, f"{cost:.4g}", change(cost / macs.original - 1)) for name, cost in costs.items()]
    note = "" if results.input is None else f"One forward pass {sizes(results.input)}."
    if asked := budget(results, "macs"):
        note += f" The budget {asked}."
    return Table("Operations", ("", "G multiply-accumulates", "change"), rows, note)


def _latency(results: Results) -> Table:
    found = results.latency
    if found is None:
        return Table("Latency", (), [])
    rows = [
        (
            f"{name}, batch of {batch}",
            *(or_dash(milliseconds, seconds) for seconds in (timing.median_s, timing.p10_s, timing.p90_s)),
            "" if key == "original" else latency_change(timing),
            or_dash("{:.0f}".format, timing.rounds),
        )
        for batch, timings in found.batches.items()
        for key, name in TIMED.items()
        if (timing := timings.get(key)) is not None
    ]
    notes = [
        f"Device {found.device}, threads: {found.threads}. Models took turns; changes are against the original model "
        "in the same round: their median, in brackets the 95% interval.",
        *map(sentence, timing_warnings(found)),
    ]
    if writes(results):
        notes.append(PREFILL)
    return Table(
        pass_name(results).capitalize(), ("", "median", "10%", "90%", "change", "rounds"), rows, " ".join(notes)
    )


def _rounds(results: Results) -> Table:
    """The slim model's change of latency in every round, some in a row."""
    rows = []
    for batch, timings in (results.latency.batches if results.latency else {}).items():
        if not (timings["slim"].seconds and len(timings["slim"].seconds) == len(timings["original"].seconds)):
            continue
        pairs = zip(timings["slim"].seconds, timings["original"].seconds, strict=True)
        changes = [change(slim / original - 1).removesuffix("%") for slim, original in pairs]
        for start in range(0, len(changes), _IN_A_ROW):
            part = changes[start : start + _IN_A_ROW]
            rows.append((f"batch of {batch}, rounds {start + 1} to {start + len(part)}", "  ".join(part)))
    return Table("Rounds of timing", ("", "change of the slim model's latency, %"), rows)


def _parameters(results: Results) -> Table:
    counts = results.parameters
    if counts is None:
        return Table("Parameters", (), [])
    known = {
        "original": counts.original,
        "total in search": counts.total,
        "trained in search": counts.trainable,
        **{"frozen body" if name == "body" else readable(name): number for name, number in counts.groups.items()},
        "slim": counts.slim,
        "trained with the plan": counts.trained,
    }
    rows = [(name, f"{number:,}") for name, number in known.items() if number is not None]
    return Table("Parameters", ("", "count"), rows)


def _data(results: Results) -> Table:
    records = results.records
    if records is None:
        return Table("Data", (), [])
    reserved = {"reserved": records.reserved} if records.reserved else {}
    parts = {"train": records.train, "validation": records.validation, **reserved, "test": records.test}
    left_out = {part: records.bad_rows.get(part, 0) + records.unlabelled.get(part, 0) for part in parts}
    rows = [(part, f"{number:,}", f"{left_out[part]:,}") for part, number in parts.items()]
    note = f"{results.answers:,} different answers." if results.answers else ""
    if unlabelled := sum(records.unlabelled.values()):
        note += f" Of the rows left out, {unlabelled:,} have no label in the set."
    if records.bad_images:
        note += f" Images that cannot be read, replaced by the mean colour: {records.bad_images:,}."
    return Table("Data", ("", results.metric.unit, "rows left out"), rows, note.strip())


def _seconds(results: Results) -> Table:
    found = {name: seconds for name, seconds in results.seconds.items() if seconds is not None}
    rows = [(beside(name), duration(seconds)) for name, seconds in found.items()]
    return Table("Time taken", ("", "duration"), rows)


def _versions(results: Results) -> Table:
    own = {} if results.skiptune_version is None else {"skiptune": results.skiptune_version}
    return Table("Versions", ("", "version"), [*{**own, **results.versions}.items()])
