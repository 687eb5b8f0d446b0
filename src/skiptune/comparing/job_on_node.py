"""One job on a node of a cluster: in a process of its own, as here, and back comes what it wrote.

Nothing here loads a model: the memory of a node is for the job.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ..core.errors import InputError
from ..core.text_files import read_json
from ..running.recipe import Recipe
from ..running.same_inputs import SameInputs
from ..spreading.node import facts_here
from .job_files import FAILURE, LOG, RESULT, JobFile, JobResult
from .job_start import start_job

_POLL = 0.1  # seconds
#: Bytes of a log that come back, its end.
_LOGGED = 2**20


@dataclass(frozen=True)
class NodeJob:
    """What a node is given.

    Attributes:
        number: of the job in its comparison.
        recipe: of the job.
        file: the rest of what its process reads; cached encoder outputs stay on the node.
        inputs: that the node must have.
    """

    number: int
    recipe: Recipe
    file: JobFile
    inputs: SameInputs


@dataclass(frozen=True)
class NodeResult:
    """What comes back.

    Attributes:
        result: of the job; ``None``: it failed.
        failure: why, as far as it said so.
        code: that its process ended with.
        log: the end of what it printed.
        seconds: that it took.
    """

    result: JobResult | None
    failure: str
    code: int
    log: bytes
    seconds: float


def do_job(job: NodeJob) -> NodeResult:
    """Do a job on this node. None of its files stay here."""
    began = time.perf_counter()
    try:
        job.inputs.check_here()
    except InputError as error:
        return NodeResult(None, str(error), 2, b"", time.perf_counter() - began)
    with TemporaryDirectory(prefix="skiptune-") as scratch:
        folder = Path(scratch)
        file = job.file.replace(encoded=str(folder / "encoded.sqlite"))
        process = start_job(folder, job.recipe.replace(output=scratch), file)
        try:
            while process.poll() is None:  # a task that is stopped is told between two calls, not within one
                time.sleep(_POLL)
        finally:
            process.kill()
            code = process.wait()
        log = (folder / LOG).read_bytes()[-_LOGGED:]
        return NodeResult(_result(folder), _text(folder / FAILURE), code, log, time.perf_counter() - began)


def _result(folder: Path) -> JobResult | None:
    path = folder / RESULT
    return JobResult.from_dict(read_json(path)).replace(node=facts_here()) if path.is_file() else None


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
