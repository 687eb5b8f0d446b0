"""The page of a comparison in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.formatting import markdown, markdown_code, markdown_table
from ..core.measured_text import NO_DIFFERENCE, latency_change
from .compare_results import CompareResults, Row, RowTest

_TOKENS = "image tokens in the end"
_HEAD = (
    "method",
    "skipped",
    _TOKENS,
    "trained",
    "G operations",
    "latency, ms",
    "against the original",
    "training, s",
    "peak memory, GiB",
)


def page(results: CompareResults) -> str:
    """The page of a comparison, from the content of ``compare.json``."""
    metric = results.metric
    metric_name = f"{metric.part} {metric.name}, %"
    head, cells = [*_HEAD, metric_name], [_cells(row) for row in results.rows]
    if not any(row.tokens for row in results.rows):
        column = head.index(_TOKENS)
        head, *cells = ([*line[:column], *line[column + 1 :]] for line in (head, *cells))
    lines = [
        f"# {markdown(results.model)}, {results.task}: {results.jobs.done} of {results.jobs.of} trainings",
        "",
        markdown_table(head, cells, numbers_from=1),
        "",
        "Metric: mean ± standard deviation over seeds, whose number is in brackets; of a single one, in square "
        "brackets, the 95% interval over the records. Latency: models took turns; against the original model in the "
        "same round, with the 95% interval. Learning rates (peak): " + "; ".join(_rates(results.rows)) + ".",
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
    low, high = row.metric_interval or (0.0, 0.0)
    spread = f" [{100 * low:.2f} to {100 * high:.2f}]" if row.metric_interval else ""
    spread = spread if row.metric_sd is None else f" ± {row.metric_sd:.2f}"
    latency = "" if row.latency_s is None else f"{1e3 * row.latency_s:.2f}"
    return [
        row.title,
        f"{row.skipped:g}",
        _tokens_left(row),
        f"{row.trainable_percent:.2f} %",
        f"{row.macs_g:.4g}",
        latency,
        "" if row.latency is None else latency_change(row.latency),
        f"{row.train_s:.0f}",
        _number(row.peak_gib, ".2f"),
        f"{row.metric_mean:.2f}{spread} ({row.seeds})",
    ]


def _tokens_left(row: Row) -> str:
    """The share of the image tokens that goes through the last block, and how many layers they pass unchanged, the mean
    over seeds."""
    ends = [schedule.left for schedule in row.tokens.values()]
    kept = (sum(ends) + row.seeds - len(ends)) / row.seeds
    frozen = sum(len(schedule.frozen) for schedule in row.tokens.values()) / row.seeds
    return f"{kept:.0%}" + (f", unchanged through {frozen:g} layers" if frozen else "")


def _rates(rows: Sequence[Row]) -> list[str]:
    """Each method's own learning rate, methods of one rate together."""
    by_rate: dict[str, list[str]] = {}
    for row in rows:
        rate = ", ".join(dict.fromkeys(f"{value:g}" for value in row.learning_rates.values())) or "none"
        if row.method not in by_rate.setdefault(rate, []):
            by_rate[rate].append(row.method)
    return [f"{rate} for {', '.join(names)}" for rate, names in by_rate.items()]


def _tests(tests: Sequence[RowTest]) -> list[str]:
    if not tests:
        return []
    head = ("searched", "against", "", "pairs", "difference, points", "over records", "t", "p (t)", "p (sign flip)")
    table = markdown_table(head, map(_test_cells, tests), numbers_from=3)
    note = (
        "Differences: mean ± standard error over pairs of one seed; over records: the 95% interval, answers to the "
        "same records compared. A plan is called better or worse if that excludes 0 and p (t), where there is one, is "
        "below 0.05."
    )
    return [table, "", note, ""]


def _test_cells(test: RowTest) -> list[str]:
    numbers = [_number(test.t, ".2f"), _number(test.p_t, ".3f"), _number(test.p_sign_flip, ".3f")]
    difference = f"{test.mean:+.2f}" + ("" if test.se is None else f" ± {test.se:.2f}")
    low, high = test.interval or (0.0, 0.0)
    between = f"{low:+.2f} to {high:+.2f}" if test.interval else ""
    return [test.searched, test.rival, _verdict(test), str(test.pairs), difference, between, *numbers]


def _verdict(test: RowTest) -> str:
    """Which is better, if that was measured."""
    if not test.is_measured:
        return NO_DIFFERENCE
    return f"the searched is {'better' if test.mean > 0 else 'worse'}"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
