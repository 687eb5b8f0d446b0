"""Table rows and paired tests from the results of jobs."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from ..methods.registry import METHODS
from .compare_results import Row, RowTest
from .job_files import JobResult
from .jobs import Job
from .paired_tests import paired_test

JobResults = Mapping[Job, JobResult]
#: Structure → batch size → median seconds of a forward pass.
StructureTimes = Mapping[str, Mapping[str, float]]


def structure(result: JobResult) -> str:
    """Key of models with the same latency: form at inference and number of operations."""
    return f"{METHODS[result.method].form} {result.macs_g:.9f}"


def rows_of(results: JobResults, latency: StructureTimes) -> list[Row]:
    """One row per method and budget, in the order of the table of methods, by blocks skipped.

    Args:
        results: of the finished jobs.
        latency: structure → batch size → seconds, as far as that was timed.
    """
    names = dict.fromkeys(job.name for job in results)
    rows = [_row([(job, result) for job, result in results.items() if job.name == name], latency) for name in names]
    order = list(METHODS)
    return sorted(rows, key=lambda row: (order.index(row.method), row.skipped, -row.macs_g))


def _row(found: list[tuple[Job, JobResult]], latency: StructureTimes) -> Row:
    found = sorted(found, key=lambda item: item[0].seed)
    job, first = found[0]
    results = [result for _, result in found]
    peaks = [result.peak_gib for result in results if result.peak_gib is not None]
    metric = [100 * result.metric for result in results]
    spread = statistics.stdev(metric) if len(metric) > 1 else None
    skipped = statistics.fmean(len(result.skipped) for result in results)
    timed = [latency.get(structure(result), {}) for result in results]
    batches = {batch: statistics.fmean(one[batch] for one in timed) for batch in timed[0]} if all(timed) else {}
    return Row(
        name=job.name,
        method=job.method,
        title=METHODS[job.method].title,
        skipped=int(skipped) if skipped.is_integer() else skipped,
        trainable_percent=100 * statistics.fmean(result.trainable for result in results) / first.parameters,
        trainable=statistics.fmean(result.trainable for result in results),
        macs_g=statistics.fmean(result.macs_g for result in results),
        latency_s=next(iter(batches.values()), None),
        latency_s_by_batch=batches,
        train_s=statistics.fmean(result.train_s for result in results),
        peak_gib=statistics.fmean(peaks) if len(peaks) == len(results) else None,
        metric_mean=statistics.fmean(metric),
        metric_sd=spread,
        metric_se=None if spread is None else spread / len(metric) ** 0.5,
        seeds=len(metric),
        budget=None if job.budget is None else {name: value for name, value in job.budget if value is not None},
        metric_by_seed={str(own.seed): value for (own, _), value in zip(found, metric, strict=True)},
        plans={str(own.seed): result.skipped for own, result in found} if job.budget else None,
        strategies=tuple(sorted({result.strategy for result in results})) if job.budget else None,
        learning_rates=first.learning_rates,
    )


#: Searched plans against others with the same parts in kept blocks, and against methods that skip nothing.
_RIVALS = ("random", "heuristic")


def paired(rows: Sequence[Row]) -> list[RowTest]:
    """Paired tests over the seeds two rows have in common; differences in points, searched minus rival.

    Searched plans against random and heuristic ones with the same budget, over all budgets together too (whose pairs
    share seeds, so that they are not quite independent), and against the method that skips nothing and has the highest
    mean over the seeds they share.
    """
    found = []
    for kind in ("bottleneck", "lora"):
        searched = [row for row in rows if row.method == f"das-{kind}"]
        for rival in _RIVALS:
            pairs: list[tuple[float, float]] = []
            levels = 0
            for row in searched:
                for other in rows:
                    if other.method == f"{rival}-{kind}" and other.budget == row.budget:
                        pairs += _common(row, other)
                        levels += 1
                        found += _tests(row.name, other.name, _common(row, other))
            if levels > 1:
                found += _tests(f"das-{kind}", f"{rival}-{kind}", pairs)
        for row in searched:
            whole = [other for other in rows if other.budget is None and len(_common(row, other)) == row.seeds]
            if whole:
                best = max(whole, key=lambda other: statistics.fmean(b for _, b in _common(row, other)))
                found += _tests(row.name, best.name, _common(row, best))
    return found


def _common(one: Row, other: Row) -> list[tuple[float, float]]:
    first, second = one.metric_by_seed, other.metric_by_seed
    return [(first[seed], second[seed]) for seed in first if seed in second]


def _tests(one: str, other: str, pairs: list[tuple[float, float]]) -> list[RowTest]:
    if not pairs:
        return []
    first, second = zip(*pairs, strict=True)
    return [RowTest(searched=one, rival=other, pairs=len(pairs), **dict(paired_test(first, second)))]
