"""Run jobs in child processes, a few at a time. If one fails or dies, the others continue."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..core.files import telling_of, write_json
from ..running.recipe import Recipe
from .job_files import JobFile, JobSettings
from .jobs import FAILURE, RESULT, Job, job_recipe

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
    write_json(folder / "recipe.json", job_recipe(recipe, job).to_dict())
    write_json(folder / "job.json", JobFile(method=job.method, **dict(settings)).to_dict())
    threads = {name: str(settings.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    with telling_of(folder / "log.txt"), (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "skiptune.comparing.job_process", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **threads},
        )
    return _Running(job, folder, process)


def _failure(ended: _Running) -> str | None:
    """The reason why a job failed, or ``None``. Its intermediate files are removed."""
    for name in _LEFT:
        path = ended.folder / name
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    if (ended.folder / RESULT).is_file():
        return None
    path, code = ended.folder / FAILURE, ended.process.returncode
    if path.is_file():
        return path.read_text(encoding="utf-8").strip()
    how = f"killed by signal {-code}; out of memory?" if code < 0 else f"ended with code {code}"
    return f"{how} (see {ended.folder / 'log.txt'})"
