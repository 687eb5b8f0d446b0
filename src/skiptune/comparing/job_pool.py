"""Run jobs in child processes, a few at a time. If one fails or dies, the others continue."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..running.recipe import Recipe
from .job_files import FAILURE, JobSettings, failure_of
from .job_start import start_job
from .jobs import Job, job_file, job_recipe

_POLL = 0.1  # seconds
_LEFT = ("choice", "logs", "adapter_start.json", "adapter_start.safetensors")


@dataclass
class _Running:
    job: Job
    folder: Path
    process: subprocess.Popen[bytes]
    began: float = field(default_factory=time.perf_counter)


def carry_out(
    recipe: Recipe,
    jobs: Sequence[Job],
    number: int,
    settings: JobSettings,
    report: Callable[[Job, float, str | None], None],
) -> None:
    """Run ``jobs``, at most ``number`` at a time. An interrupted job starts over, so that its time and memory are those
    of one whole training.

    Args:
        recipe: of the comparison, complete.
        jobs: to do.
        number: of processes.
        settings: what all jobs have in common.
        report: called for every finished job with its seconds and, if it failed, the reason.
    """
    waiting, running = list(jobs), list[_Running]()
    try:
        while waiting or running:
            while waiting and len(running) < number:
                running.append(_start(recipe, waiting.pop(0), settings))
            ended = [one for one in running if one.process.poll() is not None]
            for one in ended:
                running.remove(one)
                report(one.job, time.perf_counter() - one.began, _failure(one))
            if not ended:
                time.sleep(_POLL)
    finally:
        for one in running:
            one.process.kill()
            one.process.wait()


def _start(recipe: Recipe, job: Job, settings: JobSettings) -> _Running:
    folder = job.folder(Path(recipe.output))
    (folder / FAILURE).unlink(missing_ok=True)
    return _Running(job, folder, start_job(folder, job_recipe(recipe, job), job_file(job, settings)))


def _failure(ended: _Running) -> str | None:
    """The reason why a job failed, or ``None``. Its intermediate files are removed."""
    for name in _LEFT:
        path = ended.folder / name
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    return failure_of(ended.folder, ended.process.returncode)
