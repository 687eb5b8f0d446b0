"""Latency of several models, timed in turns in one process, because the speed of machines drifts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ..core.errors import InputError
from ..core.measurements import Timing
from ..core.process import best_device
from ..core.progress import track
from .block_costs import BlockCosts, bench_copy, read_blocks
from .example_inputs import Inputs
from .macs import block_savings, by_saving


def compare_latency(
    models: Mapping[str, nn.Module],
    inputs: Inputs,
    repeats: int = 30,
    warmup: int = 3,
    title: str = "timing",
) -> dict[str, Timing]:
    """Seconds of one forward pass of every model on the same inputs.

    The models take turns, in changing order, ``repeats`` times after ``warmup`` rounds that are not counted.

    Returns:
        A timing for every name; its ``ratio`` is to the first model.

    Raises:
        InputError: fewer than two repeats.
    """
    seconds = take_turns(models, dict.fromkeys(models, inputs), repeats, warmup, title)
    first = next(iter(seconds.values()))
    return {
        name: Timing(**spread(taken), ratio=statistics.median(ratios(taken, first))) for name, taken in seconds.items()
    }


@torch.inference_mode()
def take_turns(
    models: Mapping[str, nn.Module],
    inputs: Mapping[str, Inputs],
    repeats: int,
    warmup: int,
    title: str = "timing",
) -> dict[str, list[float]]:
    """Seconds of one forward pass in every round, by model; ``inputs`` by model too.

    Raises:
        InputError: fewer than two repeats.
    """
    if repeats < 2:
        raise InputError(f"repeats: {repeats}; at least 2 are needed to see a spread")
    names = list(models)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for model in models.values():
        model.eval()
    for turn in track(range(warmup + repeats), title):
        order = names if turn % 2 == 0 else names[::-1]
        for name in order:
            taken = _time(models[name], inputs[name])
            if turn >= warmup:
                seconds[name].append(taken)
    return seconds


def spread(taken: Sequence[float]) -> dict[str, float]:
    """``median_s``, ``p10_s`` and ``p90_s`` of the rounds."""
    tenths = statistics.quantiles(taken, n=10, method="inclusive")
    return {"median_s": statistics.median(taken), "p10_s": tenths[0], "p90_s": tenths[-1]}


def ratios(taken: Sequence[float], other: Sequence[float]) -> list[float]:
    """Ratios of two models' times in the same round: a busy machine slows both."""
    return [own / base for own, base in zip(taken, other, strict=True)]


def time_blocks(model: nn.Module, inputs: Inputs, repeats: int = 10, warmup: int = 2) -> BlockCosts:
    """Seconds of one forward pass of a model with adapters inserted, and those that skipping each block saves here.

    Medians of ``repeats`` turns, each one pass without block adapters, one with them and one with every block skipped.
    Blocks of one kind do the same work, so they share one saving, the median over all of them. ``model`` is not
    changed.

    Raises:
        InputError: no adapters are inserted, or a block was removed.
    """
    bench = bench_copy(model).to(best_device())
    given = {name: value.to(best_device()) for name, value in inputs.items()}
    with torch.inference_mode():
        turns = [read_blocks(bench, given, _clock) for _ in track(range(warmup + repeats), "timing blocks")][warmup:]
    kinds = by_saving(block_savings(model, inputs)).values()
    saved = {
        name: statistics.median(turn.savings[other] for turn in turns for other in kind)
        for kind in kinds
        for name in kind
    }
    return BlockCosts(
        statistics.median(turn.original for turn in turns),
        statistics.median(turn.adapted for turn in turns),
        {name: saved[name] for name in turns[0].savings},
    )


def _time(model: nn.Module, inputs: Inputs) -> float:
    first = next(model.parameters(), None)  # an ONNX model has none
    if first is not None and first.is_cuda:
        return _time_on_gpu(model, inputs)
    started = time.perf_counter()
    model(**inputs)
    return time.perf_counter() - started


def _time_on_gpu(model: nn.Module, inputs: Inputs) -> float:
    """Time between two events on an idle GPU; waiting for kernel launches counts."""
    started, ended = torch.cuda.Event(True), torch.cuda.Event(True)  # type: ignore[no-untyped-call]
    torch.cuda.synchronize()
    started.record()
    model(**inputs)
    ended.record()
    torch.cuda.synchronize()
    return float(started.elapsed_time(ended)) / 1e3


def _clock() -> float:
    """Seconds, once all work given to a GPU is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
