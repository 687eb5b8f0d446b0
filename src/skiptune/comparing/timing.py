"""Latency of all structures of a comparison, timed in turns in one process at its end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ..core.errors import InputError
from ..core.files import write_json
from ..core.measurements import Latency
from ..core.process import best_device
from ..core.text_files import read_json
from ..core.validated import Validated
from ..costs.example_inputs import example_inputs
from ..costs.latency import timings
from ..costs.turns import WARMUP, Rounds, take_turns, time_batches
from ..families.registry import family_of
from ..inserting.selection import blocks_of
from ..methods.registry import METHODS
from ..models.shared_copy import shared_copy
from ..plan import Plan
from ..running.run import Run
from .job_files import JobResult
from .jobs import Job, job_recipe
from .rows import JobResults, structure

#: The name, beside those of structures, of the model that ratios are to.
ORIGINAL = "original"


class KeptLatency(Validated):
    """The content of ``compare/latency.json``: the times, and what they were taken for."""

    setting: dict[str, Any]
    latency: Latency


def timed(run: Run, results: JobResults, size: tuple[int, int], length: int) -> Latency:
    """Times of all structures and of the original, by structure, kept in ``compare/latency.json``.

    If a structure is new, or batch sizes or threads changed, all are timed again together, because the machine may have
    changed. Slim forms are timed, with LoRA and (IA)³ merged and untrained weights, whose values do not affect time.
    Methods of one structure share one timing; methods that change nothing at inference have the original's.

    Args:
        run: of the comparison's recipe.
        results: of the finished jobs.
        size: of the images, height and width in pixels.
        length: tokens of text.
    """
    path = run.folder / "compare" / "latency.json"
    chosen = {structure(result): (job, result) for job, result in reversed(list(results.items()))}
    setting = {
        "structures": sorted(chosen),
        **run.recipe.bench.to_dict(),
        "threads": torch.get_num_threads(),
        "device": best_device(),
    }
    if path.is_file():
        try:
            kept: KeptLatency | None = KeptLatency.from_dict(read_json(path))
        except InputError:
            kept = None  # of another version: timed again
        if kept is not None and kept.setting == setting:
            return kept.latency
    latency = _latency(run, chosen, size, length)
    write_json(path, KeptLatency(setting=setting, latency=latency).to_dict())
    return latency


def _latency(run: Run, chosen: Mapping[str, tuple[Job, JobResult]], size: tuple[int, int], length: int) -> Latency:
    bench, started = run.recipe.bench, time.perf_counter()
    original = run.plain_model().to(best_device()).eval()
    family_of(original).make_skippable(original)
    models = {ORIGINAL: original, **{name: _slim(run, original, job, result) for name, (job, result) in chosen.items()}}

    def take(batch: int, seconds: float) -> Rounds:
        inputs = dict.fromkeys(models, example_inputs(original, size, length, batch))
        return take_turns(models, inputs, bench.repeats, WARMUP, f"timing {batch}", seconds)

    left = bench.seconds - (time.perf_counter() - started)
    found = time_batches(bench.batch_sizes, bench.repeats, left, take)
    return Latency(
        batches={str(batch): timings(rounds) for batch, rounds in found.rounds.items()},
        threads=torch.get_num_threads(),
        device=best_device(),
        text_length=length,
        image_size=size,
        left_out={str(batch): seconds for batch, seconds in found.left_out.items()},
    )


def _slim(run: Run, original: nn.Module, job: Job, result: JobResult) -> nn.Module:
    """A model built as the job's, on the memory of ``original`` where it is the same."""
    method, recipe = METHODS[job.method], job_recipe(run.recipe, job)
    model = shared_copy(original)
    method.prepare(model, recipe.compare.setup(recipe.adapters, job.seed))
    plan = Plan(family_of(model).name, tuple(blocks_of(model)), result.skipped, tokens=result.tokens)
    return method.slim(model, plan).to(best_device()).eval()
