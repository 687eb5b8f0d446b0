"""Table rows and paired tests from the results of jobs."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

import numpy as np

from ..core.intervals import difference_interval
from ..core.measurements import Latency, Timing
from ..methods.compare_config import ALONE, TOKEN_METHODS
from ..methods.registry import METHODS
from .compare_results import Row, RowTest
from .job_files import JobResult
from .jobs import Job
from .paired_tests import paired_test

JobResults = Mapping[Job, JobResult]
#: Name of a row → seed → one score per record.
Scores = Mapping[str, Mapping[str, Sequence[float]]]


def structure(result: JobResult) -> str:
    """Key of models with the same latency: form at inference, number of operations, and how image tokens become
    fewer."""
    key = f"{METHODS[result.method].form} {result.macs_g:.9f}"
    return key if result.tokens is None else f"{key} {result.tokens}"


def rows_of(results: JobResults, latency: Latency | None) -> list[Row]:
    """One row per method and budget, in the order of the table of methods, by blocks skipped.

    Args:
        results: of the finished jobs.
        latency: times by structure, if they were taken.
    """
    names = dict.fromkeys(job.name for job in results)
    rows = [_row([(job, result) for job, result in results.items() if job.name == name], latency) for name in names]
    order = list(METHODS)
    return sorted(rows, key=lambda row: (order.index(row.method), row.skipped, -row.macs_g))


def _row(found: list[tuple[Job, JobResult]], latency: Latency | None) -> Row:
    found = sorted(found, key=lambda item: item[0].seed)
    job, first = found[0]
    results = [result for _, result in found]
    peaks = [result.peak_gib for result in results if result.peak_gib is not None]
    metric = [100 * result.metric for result in results]
    spread = statistics.stdev(metric) if len(metric) > 1 else None
    skipped = statistics.fmean(len(result.skipped) for result in results)
    batches = _times([structure(result) for result in results], latency)
    timing = next(iter(batches.values()), None)
    return Row(
        name=job.name,
        method=job.method,
        title=METHODS[job.method].title,
        skipped=int(skipped) if skipped.is_integer() else skipped,
        trainable_percent=100 * statistics.fmean(result.trainable for result in results) / first.parameters,
        trainable=statistics.fmean(result.trainable for result in results),
        macs_g=statistics.fmean(result.macs_g for result in results),
        latency_s=None if timing is None else timing.median_s,
        latency_s_by_batch={batch: own.median_s for batch, own in batches.items()},
        latency=timing,
        train_s=statistics.fmean(result.train_s for result in results),
        peak_gib=statistics.fmean(peaks) if len(peaks) == len(results) else None,
        metric_mean=statistics.fmean(metric),
        metric_sd=spread,
        metric_se=None if spread is None else spread / len(metric) ** 0.5,
        seeds=len(metric),
        budget=None if job.budget is None else {name: value for name, value in job.budget if value is not None},
        metric_interval=None if len(results) > 1 else results[0].measures.interval_of(first.metric_name),
        metric_by_seed={str(own.seed): value for (own, _), value in zip(found, metric, strict=True)},
        plans={str(own.seed): result.skipped for own, result in found} if job.budget else None,
        tokens={str(own.seed): result.tokens for own, result in found if result.tokens is not None},
        strategies=tuple(sorted({result.strategy for result in results})) if job.budget else None,
        learning_rates=first.learning_rates,
    )


def _times(structures: Sequence[str], latency: Latency | None) -> dict[str, Timing]:
    """Means over structures, by batch size; none where a structure was not timed yet."""
    found = {}
    for batch, timings in (latency.batches if latency else {}).items():
        own = [timings[name] for name in structures if name in timings]
        if len(own) == len(structures):
            intervals = [timing.ratio_interval for timing in own if timing.ratio_interval is not None]
            found[batch] = Timing(
                median_s=statistics.fmean(timing.median_s for timing in own),
                ratio=statistics.fmean(timing.ratio for timing in own),
                ratio_interval=None if len(intervals) < len(own) else _mean_interval(intervals),
                rounds=own[0].rounds,
            )
    return found


def _mean_interval(intervals: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The means of the ends: at least as wide as that of the mean, because structures are timed in the same rounds."""
    low, high = (statistics.fmean(ends) for ends in zip(*intervals, strict=True))
    return low, high


#: Searched plans against others with the same parts in kept blocks, and, with the same budget, with fewer tokens.
_RIVALS = {
    "bottleneck": ("random-bottleneck", "heuristic-bottleneck"),
    "lora": ("random-lora", "heuristic-lora", *ALONE, *TOKEN_METHODS),
}


def scores_of(results: JobResults) -> Scores:
    """One score per record of every row and seed, whose mean is the metric, as far as they were recorded."""
    found: dict[str, dict[str, tuple[float, ...]]] = {}
    for job, result in results.items():
        found.setdefault(job.name, {})[str(job.seed)] = result.terms
    return found


def paired(rows: Sequence[Row], scores: Scores | None = None, same_records: bool = True) -> list[RowTest]:
    """Paired tests over the seeds two rows have in common; differences in points, searched minus rival.

    Args:
        rows: of a comparison.
        scores: of its results, for intervals over records.
        same_records: whether all seeds were measured on the same records; else one seed alone has such an interval.

    Searched plans with the same budget against random and heuristic ones and fewer image tokens alone, over all budgets
    together too (whose pairs share seeds, so that they are not quite independent), and against the method that has all
    of both and the highest mean over the seeds they share.
    """
    found = []

    def tests(one: Row, other: Row) -> list[RowTest]:
        return _tests(one.name, other.name, _common(one, other), _over_records(one, other, scores or {}, same_records))

    for kind, rivals in _RIVALS.items():
        searched = [row for row in rows if row.method == f"das-{kind}"]
        for rival in rivals:
            pairs: list[tuple[float, float]] = []
            levels = 0
            for row in searched:
                for other in rows:
                    if other.method == rival and other.budget == row.budget:
                        pairs += _common(row, other)
                        levels += 1
                        found += tests(row, other)
            if levels > 1:
                found += _tests(f"das-{kind}", rival, pairs)
        for row in searched:
            whole = [other for other in rows if other.budget is None and len(_common(row, other)) == row.seeds]
            if whole:
                best = max(whole, key=lambda other: statistics.fmean(b for _, b in _common(row, other)))
                found += tests(row, best)
    return found


def _common(one: Row, other: Row) -> list[tuple[float, float]]:
    first, second = one.metric_by_seed, other.metric_by_seed
    return [(first[seed], second[seed]) for seed in first if seed in second]


def _over_records(one: Row, other: Row, scores: Scores, same_records: bool) -> tuple[float, float] | None:
    """The interval of the difference over records, in points, of the means over the seeds that both have."""
    own, rival = scores.get(one.name, {}), scores.get(other.name, {})
    seeds = [seed for seed in one.metric_by_seed if seed in other.metric_by_seed]
    kept = [(own.get(seed, ()), rival.get(seed, ())) for seed in seeds]
    lengths = {len(values) for pair in kept for values in pair}
    if len(lengths) != 1 or lengths == {0} or (len(seeds) > 1 and not same_records):
        return None
    first, second = (np.mean(values, axis=0) for values in zip(*kept, strict=True))
    low, high = difference_interval(first, second)
    return 100 * low, 100 * high


def _tests(
    one: str, other: str, pairs: list[tuple[float, float]], interval: tuple[float, float] | None = None
) -> list[RowTest]:
    if not pairs:
        return []
    first, second = zip(*pairs, strict=True)
    test = paired_test(first, second)
    return [RowTest(searched=one, rival=other, pairs=len(pairs), interval=interval, **dict(test))]
