"""Ratios with intervals, and warnings, from the seconds of every round."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from ..core.intervals import median_interval
from ..core.measured_text import NO_DIFFERENCE, busy_batches, too_few
from ..costs.latency import ratios, spread
from .bench_result import BenchRow, BenchSettings, ModelSummary


def summarize(
    described: Mapping[str, ModelSummary],
    seconds: Mapping[str, Sequence[float]],
    macs: Mapping[str, float],
    unskipped: Mapping[str, str | None],
    settings: BenchSettings,
    batch: int,
) -> list[BenchRow]:
    """One row per model, from its seconds in every round; ``unskipped`` as :func:`bench` says."""
    first = next(iter(seconds))
    rows = []
    for name, taken in seconds.items():
        against_first, whole = ratios(taken, seconds[first]), unskipped[name]
        saved = 0.0 if whole is None else 1 - macs[name] / macs[whole]
        realised = interval = None
        if whole is not None and saved > 1e-9:
            against_whole = ratios(taken, seconds[whole])
            realised = (1 - statistics.median(against_whole)) / saved
            low, high = median_interval(against_whole)
            interval = ((1 - high) / saved, (1 - low) / saved)
        times = spread(taken)
        rows.append(
            BenchRow(
                **dict(described[name]),
                image="x".join(map(str, settings.image_size)),
                text=settings.text_length,
                batch=batch,
                device=settings.device,
                dtype=settings.dtype,
                threads=settings.threads,
                median_s=times["median_s"],
                p10_s=times["p10_s"],
                p90_s=times["p90_s"],
                throughput=batch / times["median_s"],
                ratio=statistics.median(against_first),
                ratio_interval=median_interval(against_first),
                macs_g=macs[name],
                realised=realised,
                realised_interval=interval,
                realised_to=whole if realised is not None else None,
                rounds=len(taken),
                seconds=tuple(taken),
            )
        )
    return rows


def unsafe(rows: Sequence[BenchRow]) -> list[str]:
    """Warnings where the spread of the times makes a ratio unreliable."""
    found, groups = [], dict[str, list[BenchRow]]()
    for row in rows:
        groups.setdefault(str(row.batch), []).append(row)
    for batch, group in groups.items():
        if few := too_few(group[0].rounds):
            found.append(f"batch {batch}: {few}")
    timed = {batch: {row.model: row.timing for row in group} for batch, group in groups.items()}
    found += filter(None, [busy_batches(timed)])
    for batch, group in groups.items():
        for row in group[1:]:
            low, high = row.ratio_interval
            if low <= 1 <= high:
                found.append(
                    f"batch {batch}: {row.model} takes {row.ratio:.2f}× of {group[0].model}, but the interval "
                    f"{low:.2f} to {high:.2f} includes 1: {NO_DIFFERENCE}; more --repeats may find one"
                )
    return found
