"""Ratios with intervals, and warnings, from the seconds of every round."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from ..costs.latency import ratios, spread
from .bench_result import BenchRow, BenchSettings, ModelSummary

_WIDE = 0.3  # p10 to p90 over the median, above which the machine was busy


_FEWEST = 6  # rounds for an interval of 95 %


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
            )
        )
    return rows


def median_interval(values: Sequence[float], share: float = 0.95) -> tuple[float, float]:
    """Order statistics that enclose the true median in ``share`` of all cases, for any distribution.

    With fewer than 6 values, the lowest and the highest.
    """
    ordered, count = sorted(values), len(values)
    below, tail = 0, 0.0
    for place in range(count // 2):
        tail += math.comb(count, place) / 2**count
        if 2 * tail > 1 - share:
            break
        below = place
    return ordered[below], ordered[count - 1 - below]


def unsafe(rows: Sequence[BenchRow]) -> list[str]:
    """Warnings where the spread of the times makes a ratio unreliable."""
    found = []
    for batch in dict.fromkeys(row.batch for row in rows):
        group = [row for row in rows if row.batch == batch]
        if group[0].rounds < _FEWEST:
            found.append(f"batch {batch}: {group[0].rounds} rounds are too few for an interval; take {_FEWEST} or more")
        busy = sum(row.p90_s - row.p10_s > _WIDE * row.median_s for row in group)
        if busy:
            found.append(
                f"batch {batch}: the times of {busy} of {len(group)} models spread over more than {_WIDE:.0%} of their "
                "median; is the machine busy? Trust ratios, not milliseconds"
            )
        for row in group[1:]:
            low, high = row.ratio_interval
            if low <= 1 <= high:
                found.append(
                    f"batch {batch}: {row.model} takes {row.ratio:.2f}× of {group[0].model}, but the interval "
                    f"{low:.2f} to {high:.2f} includes 1: no difference was measured; more --repeats may find one"
                )
    return found
