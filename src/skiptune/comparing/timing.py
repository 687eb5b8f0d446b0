"""Latency of all structures of a comparison, timed in turns in one process at its end."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from ..core.files import write_json
from ..core.process import best_device
from ..core.text_files import read_json
from ..costs.example_inputs import example_inputs
from ..costs.latency import compare_latency
from ..families.registry import family_of
from ..inserting.selection import blocks_of
from ..methods.registry import METHODS
from ..models.shared_copy import shared_copy
from ..plan import Plan
from ..running.run import Run
from .job_files import JobResult
from .jobs import Job, job_recipe
from .rows import JobResults, structure


def timed(run: Run, results: JobResults, size: tuple[int, int], length: int) -> dict[str, dict[str, float]]:
    """Structure → batch size → median seconds of a forward pass, kept in ``compare/latency.json``.

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
    bench = run.recipe.bench
    setting = {
        "structures": sorted(chosen),
        "batch_sizes": list(bench.batch_sizes),
        "repeats": bench.repeats,
        "threads": torch.get_num_threads(),
        "device": best_device(),
    }
    kept = read_json(path) if path.is_file() else None
    if not isinstance(kept, dict) or kept.get("setting") != setting or "seconds" not in kept:
        kept = {"setting": setting, "seconds": _seconds(run, chosen, size, length)}
        write_json(path, kept)
    seconds: dict[str, dict[str, float]] = kept["seconds"]
    return seconds


def _seconds(
    run: Run, chosen: Mapping[str, tuple[Job, JobResult]], size: tuple[int, int], length: int
) -> dict[str, dict[str, float]]:
    original = run.plain_model().to(best_device())
    models = {name: _slim(run, original, job, result) for name, (job, result) in chosen.items()}
    bench = run.recipe.bench
    found: dict[str, dict[str, float]] = {name: {} for name in models}
    for batch in bench.batch_sizes:
        inputs = example_inputs(original, size, length, batch)
        rows = compare_latency(models, inputs, bench.repeats, title=f"timing {batch}")
        for name, row in rows.items():
            found[name][str(batch)] = row.median_s
    return found


def _slim(run: Run, original: nn.Module, job: Job, result: JobResult) -> nn.Module:
    """A model built as the job's, on the memory of ``original`` where it is the same."""
    method, recipe = METHODS[job.method], job_recipe(run.recipe, job)
    model = shared_copy(original)
    method.prepare(model, recipe.compare.setup(recipe.adapters, job.seed))
    plan = Plan(family_of(model).name, tuple(blocks_of(model)), result.skipped)
    return method.slim(model, plan).to(best_device()).eval()
