"""Latency of several models side by side: interleaved in one process, because machines drift."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from .errors import InputError
from .progress import track


@torch.inference_mode()
def compare_latency(
    models: Mapping[str, nn.Module],
    inputs: Mapping[str, Any],
    repeats: int = 30,
    warmup: int = 3,
    title: str = "timing",
) -> dict[str, dict[str, float]]:
    """Seconds of one forward pass of every model on the same inputs.

    The models take turns, in changing order, ``repeats`` times after ``warmup`` rounds that are not counted.

    Returns:
        For every name ``median_s``, ``p10_s``, ``p90_s``, and ``ratio``: the median over the rounds of its time
        divided by the first model's in the same round.

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
            taken = _time(models[name], inputs)
            if turn >= warmup:
                seconds[name].append(taken)
    first = seconds[names[0]]
    return {
        name: {
            "median_s": statistics.median(taken),
            "p10_s": statistics.quantiles(taken, n=10)[0],
            "p90_s": statistics.quantiles(taken, n=10)[-1],
            "ratio": statistics.median(own / other for own, other in zip(taken, first, strict=True)),
        }
        for name, taken in seconds.items()
    }


def _time(model: nn.Module, inputs: Mapping[str, Any]) -> float:
    cuda = next(model.parameters()).is_cuda
    if cuda:
        torch.cuda.synchronize()
    started = time.perf_counter()
    model(**inputs)
    if cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - started
