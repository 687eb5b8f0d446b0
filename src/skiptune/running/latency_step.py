"""The latency step of a run: the original model, the one with adapters and nothing skipped, and the slim one."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from torch import nn

from ..core.measurements import Latency
from ..core.process import best_device
from ..costs.example_inputs import example_inputs
from ..costs.latency import timings
from ..costs.turns import WARMUP, Rounds, take_turns, time_batches
from ..exporting.load import load
from ..families.registry import family_of
from ..inserting.pruning import prune
from ..inserting.selection import blocks_of
from ..plan import Plan
from .run_models import RunModels


def time_models(models: RunModels, slim_folder: Path, size: tuple[int, int], length: int) -> Latency:
    """Forward passes of the three models, which take turns on the CPU or GPU of this machine.

    Loading the models counts to the time that the recipe's ``bench.seconds`` gives.

    Args:
        models: of the run.
        slim_folder: directory of the slim model.
        size: of the images, height and width in pixels.
        length: tokens of text.
    """
    bench, started = models.recipe.bench, time.perf_counter()
    timed = _models(models, slim_folder)
    original = timed["original"]

    def take(batch: int, seconds: float) -> Rounds:
        inputs = dict.fromkeys(timed, example_inputs(original, size, length, batch))
        return take_turns(timed, inputs, bench.repeats, WARMUP, f"timing {batch}", seconds)

    left = bench.seconds - (time.perf_counter() - started)
    found = time_batches(bench.batch_sizes, bench.repeats, left, take)
    given = {"left_out": {str(batch): seconds for batch, seconds in found.left_out.items()}} if found.left_out else {}
    return Latency(
        batches={str(batch): timings(rounds) for batch, rounds in found.rounds.items()},
        threads=torch.get_num_threads(),
        device=str(next(timed["slim"].parameters()).device),
        text_length=length,
        image_size=size,
        **given,
    )


def _models(models: RunModels, slim_folder: Path) -> dict[str, nn.Module]:
    slim = load(slim_folder, verify=True)
    original = models.original()
    family_of(original).make_skippable(original)
    unskipped = models.adapted(fitted=False)
    unskipped = prune(unskipped, Plan(family_of(original).name, tuple(blocks_of(unskipped)), ()))
    timed = {"original": original, "unskipped": unskipped, "slim": slim}
    for model in timed.values():
        model.to(best_device())
    return timed
