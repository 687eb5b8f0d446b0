"""The page of a comparison in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.formatting import markdown, markdown_code, markdown_table
from .compare_results import CompareResults, Row, RowTest

_HEAD = (
    "method",
    "skipped",
    "trained",
    "G operations",
    "latency, ms",
    "training, s",
    "peak memory, GiB",
)


def page(results: CompareResults) -> str:
    """The page of a comparison, from the content of ``compare.json``."""
    metric = results.metric
    metric_name = f"{metric.part} {metric.name}, %"
    head = [*_HEAD, metric_name]
    lines = [
        f"# {markdown(results.model)}, {results.task}: {results.jobs.done} of {results.jobs.of} trainings",
        "",
        markdown_table(head, map(_cells, results.rows), numbers_from=1),
        "",
        "Metric: mean ± standard deviation over seeds, whose number is in brackets. Learning rates (peak): "
        + "; ".join(_rates(results.rows))
        + ".",
        "",
        *_tests(results.paired),
        *(f"- Left out: {name}: {markdown(why)}" for name, why in results.left_out.items()),
        *(f"- Failed: {one.name}, seed {one.seed}: {markdown(one.reason)}" for one in results.failed),
        *(f"- {note}" for note in results.notes),
        "",
        f"Batch {results.batch_sizes[0]}, {results.machine.device}, "
        f"{results.training.steps} steps of {results.training.batch_size} examples. "
        f"Command: {markdown_code(results.command)}",
    ]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> list[str]:
    spread = "" if row.metric_sd is None else f" ± {row.metric_sd:.2f}"
    latency = "" if row.latency_s is None else f"{1e3 * row.latency_s:.2f}"
    return [
        row.title,
        f"{row.skipped:g}",
        f"{row.trainable_percent:.2f} %",
        f"{row.macs_g:.4g}",
        latency,
        f"{row.train_s:.0f}",
        _number(row.peak_gib, ".2f"),
        f"{row.metric_mean:.2f}{spread} ({row.seeds})",
    ]


def _rates(rows: Sequence[Row]) -> list[str]:
    """Each method's own learning rate, methods of one rate together."""
    by_rate: dict[str, list[str]] = {}
    for row in rows:
        rate = ", ".join(dict.fromkeys(f"{value:g}" for value in row.learning_rates.values())) or "none"
        if row.method not in by_rate.setdefault(rate, []):
            by_rate[rate].append(row.method)
    return [f"{rate} for {', '.join(names)}" for rate, names in by_rate.items()]


def _tests(tests: Sequence[RowTest]) -> list[str]:
    told = [test for test in tests if test.pairs > 1]
    if not told:
        return []
    head = ("searched", "against", "pairs", "difference, points", "t", "p (t)", "p (sign flip)")
    table = markdown_table(head, map(_test_cells, told), numbers_from=2)
    return [table, "", "Differences: mean ± standard error over pairs of one seed.", ""]


def _test_cells(test: RowTest) -> list[str]:
    numbers = [_number(test.t, ".2f"), _number(test.p_t, ".3f"), _number(test.p_sign_flip, ".3f")]
    difference = f"{test.mean:+.2f} ± {test.se:.2f}"
    return [test.searched, test.rival, str(test.pairs), difference, *numbers]


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
