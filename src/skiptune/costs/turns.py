"""Models take turns in one process, because the speed of machines drifts, as often as there is time for."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

import torch
from torch import nn

from ..core.errors import InputError
from ..core.progress import track
from .example_inputs import Inputs

WARMUP = 3  # rounds before those that are timed
_LEAST = 2  # rounds, to see a spread
_ENOUGH = 20  # rounds that a long warm-up should leave time for
_MOST = 30  # rounds, more of which say little more
#: Seconds of every round by model, in turns.
Rounds: TypeAlias = Mapping[str, Sequence[float]]


class TimedBatches(NamedTuple):
    """Rounds by batch size, and the estimated seconds of one round of those that were not timed."""

    rounds: dict[int, Rounds]
    left_out: dict[int, float]


@torch.inference_mode()
def take_turns(
    models: Mapping[str, nn.Module],
    inputs: Mapping[str, Inputs],
    repeats: int | None,
    warmup: int,
    title: str = "timing",
    seconds: float = 60.0,
) -> dict[str, list[float]]:
    """Seconds of one forward pass in every round, by model, as :func:`compare_latency` takes them; ``inputs`` by model
    too.

    Raises:
        InputError: fewer than two repeats.
    """
    if repeats is not None and repeats < _LEAST:
        raise InputError(f"repeats: {repeats}; at least 2 are needed to see a spread")
    names = list(models)
    taken: dict[str, list[float]] = {name: [] for name in names}
    ends, longest = time.perf_counter() + seconds, 0.0
    for model in models.values():
        model.eval()
    for turn in track(range(warmup + (repeats or _MOST)), title):
        began = time.perf_counter()
        for name in names if turn % 2 == 0 else names[::-1]:
            took = _time(models[name], inputs[name])
            if turn >= warmup:
                taken[name].append(took)
        longest = max(longest, time.perf_counter() - began)
        if repeats is not None:
            continue
        if longest * (warmup + _ENOUGH) > seconds:
            warmup = min(warmup, 1)
        if len(taken[names[0]]) >= _LEAST and time.perf_counter() + longest > ends:
            break
    return taken


def time_batches(
    batch_sizes: Sequence[int], repeats: int | None, seconds: float, take: Callable[[int, float], Rounds]
) -> TimedBatches:
    """Time several batch sizes, from the smallest on; without ``repeats``, in ``seconds`` together.

    A batch size of which four rounds, two of them timed, would not end in time is left out, unless it is the first one.

    Args:
        batch_sizes: to time.
        repeats: rounds; ``None``: as many as there is time for.
        seconds: for all of them.
        take: times one batch size in so many seconds.
    """
    ends, sizes = time.perf_counter() + seconds, sorted(set(batch_sizes))
    found, left_out, each = dict[int, Rounds](), dict[int, float](), 0.0
    for place, batch in enumerate(sizes):
        left, expected = ends - time.perf_counter(), each * batch
        if found and repeats is None and 2 * _LEAST * expected > left:
            left_out[batch] = expected
            continue
        found[batch] = take(batch, max(0.0, left / (len(sizes) - place)))
        each = sum(statistics.median(own) for own in found[batch].values()) / batch
    return TimedBatches({batch: found[batch] for batch in batch_sizes if batch in found}, left_out)


def _time(model: nn.Module, inputs: Inputs) -> float:
    first = next(model.parameters(), None)  # an ONNX model has none
    return seconds_of(partial(model, **inputs), first is not None and first.is_cuda)


def seconds_of(run: Callable[[], object], on_gpu: bool) -> float:
    """Seconds that something takes; on a GPU between two events, which is idle before: waiting for kernel launches
    counts."""
    if not on_gpu:
        began = time.perf_counter()
        run()
        return time.perf_counter() - began
    started, ended = torch.cuda.Event(True), torch.cuda.Event(True)  # type: ignore[no-untyped-call]
    torch.cuda.synchronize()
    started.record()
    run()
    ended.record()
    torch.cuda.synchronize()
    return float(started.elapsed_time(ended)) / 1e3
