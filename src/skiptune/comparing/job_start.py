"""Start the process of a job. Nothing here loads a model, so that a node of a cluster can do it beside the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ..core.files import telling_of, write_json
from ..running.recipe import Recipe
from .job_files import JOB, LOG, RECIPE, JobFile


def start_job(folder: Path, recipe: Recipe, job: JobFile) -> subprocess.Popen[bytes]:
    """Write the files of a job and start its process; what it prints goes to ``log.txt``.

    Args:
        folder: for its files.
        recipe: of the job.
        job: the rest.

    Raises:
        RunError: the disk is full or not writable.
    """
    write_json(folder / RECIPE, recipe.to_dict())
    write_json(folder / JOB, job.to_dict())
    threads = {name: str(job.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    with telling_of(folder / LOG), (folder / LOG).open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "skiptune.comparing.job_process", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **threads},
        )
