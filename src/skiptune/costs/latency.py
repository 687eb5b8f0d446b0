"""Latency of several models, timed in turns in one process, because the speed of machines drifts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ..core.intervals import median_interval
from ..core.measurements import Timing
from ..core.process import best_device
from ..core.progress import track
from ..plan import TokenSchedule
from .block_costs import BlockCosts, bench_copy, read_blocks
from .example_inputs import Inputs
from .macs import by_saving, count_blocks
from .turns import WARMUP, Rounds, take_turns


def compare_latency(
    models: Mapping[str, nn.Module],
    inputs: Inputs,
    repeats: int | None = None,
    warmup: int = WARMUP,
    title: str = "timing",
    seconds: float = 60.0,
) -> dict[str, Timing]:
    """Seconds of one forward pass of every model on the same inputs.

    The models take turns, in changing order, ``repeats`` times after ``warmup`` rounds that are not counted. Without
    ``repeats``, there are as many rounds as fit into ``seconds``, 2 at least and 30 at most; the warm-up is one round
    where rounds are long.

    Returns:
        A timing for every name; its ``ratio`` is to the first model.

    Raises:
        InputError: fewer than two repeats.
    """
    return timings(take_turns(models, dict.fromkeys(models, inputs), repeats, warmup, title, seconds))


def timings(taken: Rounds) -> dict[str, Timing]:
    """Medians, and ratios to the first model, from the seconds of every round."""
    first = next(iter(taken.values()))
    return {
        name: Timing(
            **spread(own),
            ratio=statistics.median(ratios(own, first)),
            ratio_interval=median_interval(ratios(own, first)),
            rounds=len(own),
            seconds=tuple(own),
        )
        for name, own in taken.items()
    }


def spread(taken: Sequence[float]) -> dict[str, float]:
    """``median_s``, ``p10_s`` and ``p90_s`` of the rounds."""
    tenths = statistics.quantiles(taken, n=10, method="inclusive")
    return {"median_s": statistics.median(taken), "p10_s": tenths[0], "p90_s": tenths[-1]}


def ratios(taken: Sequence[float], other: Sequence[float]) -> list[float]:
    """Ratios of two models' times in the same round: a busy machine slows both."""
    return [own / base for own, base in zip(taken, other, strict=True)]


def time_blocks(
    model: nn.Module,
    inputs: Inputs,
    repeats: int = 30,
    warmup: int = 2,
    seconds: float = 60.0,
    decode_steps: int = 0,
    tokens: TokenSchedule | None = None,
) -> BlockCosts:
    """Seconds of one forward pass of a model with adapters inserted, and those that skipping each block saves here.

    Of a model that generates text, they are those of the prefill and ``decode_steps`` after it, each of which takes as
    long as the first one, with a real cache.

    Medians of ``repeats`` turns, each one pass without block adapters, one with them and one with every block skipped.
    Blocks of one kind do the same work, so they share one saving, the median over all of them. The model with adapters
    is never taken for faster than without, which other work on the machine can make it look like. After ``seconds``,
    no further turn begins once one is timed. With a schedule of ``tokens``, all but ``original`` is of the model whose
    image tokens become fewer. ``model`` is not changed.

    Raises:
        InputError: no adapters are inserted, or a block was removed.
    """
    bench = bench_copy(model).to(best_device())
    given = {name: value.to(best_device()) for name, value in inputs.items()}
    ends, turns = time.perf_counter() + seconds, list[BlockCosts]()
    with torch.inference_mode():
        for turn in track(range(warmup + repeats), "timing blocks"):
            first, *steps = read_blocks(bench, given, _clock, decode_steps > 0, tokens)
            found = first.followed_by(steps[0], decode_steps) if steps else first
            if turn >= warmup or time.perf_counter() > ends:
                turns.append(found)
            if turns and time.perf_counter() > ends:
                break
    kinds = by_saving(count_blocks(model, inputs, decode_steps, tokens).savings).values()
    saved = {
        name: statistics.median(turn.savings[other] for turn in turns for other in kind)
        for kind in kinds
        for name in kind
    }
    adapted = statistics.median(turn.adapted for turn in turns)
    original = min(adapted, statistics.median(turn.original for turn in turns))
    return BlockCosts(original, adapted, {name: saved[name] for name in turns[0].savings})


def _clock() -> float:
    """Seconds, once all work given to a GPU is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
