"""One job in a process of its own: train, measure, write ``result.json``. The comparison starts it with ``python -m``.

In a fresh process, the peak of memory is that of this training, and a crash affects no other job.
"""

from __future__ import annotations

import ctypes
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from ..core.digests import write_recorded_json
from ..core.errors import InputError, RunError
from ..core.files import write_text
from ..core.measurements import Measured
from ..core.process import (
    best_device,
    is_disk_failure,
    is_memory_failure,
    keep_freed_memory,
    quiet_libraries,
    resident_bytes,
)
from ..core.text_files import read_json
from .job_files import FAILURE, JOB, RECIPE, RESULT, JobFile, JobResult

_PARENT_DIED = 1  # Linux: PR_SET_PDEATHSIG


def work(folder: Path) -> JobResult:
    """Do the job whose ``recipe.json`` and ``job.json`` are in ``folder``; returns its result."""
    import torch

    from ..costs.example_inputs import example_inputs
    from ..costs.macs import count_macs
    from ..costs.parameters import count_parameters
    from ..inserting.pruning import remove_dead_blocks
    from ..methods.method import TrainingContext
    from ..methods.registry import METHODS
    from ..methods.train_method import train_method
    from ..running.recipe_reading import read_recipe
    from ..running.run import Run
    from ..tasks.evaluation import evaluate

    job = JobFile.from_dict(read_json(folder / JOB), f"{folder / JOB} is not valid")
    torch.set_num_threads(job.threads)
    recipe, method = read_recipe(folder / RECIPE), METHODS[job.method]
    run = Run(recipe)
    task, data = run.task, run.data

    def make() -> Any:
        return run.models.prepared(method)

    def cached(model: Any) -> Any:
        return run.cached_encoders(model, Path(job.encoded))

    model = make()
    before = count_parameters(model)
    started = time.perf_counter()
    checkpoints = folder / "checkpoints"
    shutil.rmtree(checkpoints, ignore_errors=True)  # a job starts over, because its time is measured
    context = TrainingContext(make, run.experiment, recipe.start, folder / "choice", cached, checkpoints)
    trained = train_method(method, model, context)
    shutil.rmtree(checkpoints, ignore_errors=True)
    plan = trained.plan
    train_s, peak = time.perf_counter() - started, peak_gib()
    counts = count_parameters(remove_dead_blocks(model, plan))
    head = sum(parameter.numel() for parameter in _head(model) if parameter.requires_grad)
    slim = method.slim(model, plan).to(best_device())
    part = data.reported
    started = time.perf_counter()
    with cached(slim):
        found = evaluate(slim, task, data.held_out[part], title=part)
    evaluate_s = time.perf_counter() - started
    macs = count_macs(slim, example_inputs(slim, job.image_size, job.text_length))
    factors = dict[str, float](recipe.train.learning_rate_factors.items())
    own = {group: recipe.train.learning_rate * factors.get(group, 1.0) for group in method.own}
    return JobResult(
        method=method.name,
        seed=recipe.train.seed,
        skipped=plan.skipped,
        tokens=plan.tokens,
        blocks=len(plan.blocks),
        strategy=plan.strategy,
        trainable=counts["trainable"] - head,
        trainable_head=head,
        parameters=sum(before[group] for group in ("body", "small_parts", "head")),  # the original's
        macs_g=macs,
        part=part,
        metric_name=task.metric,
        metric=found.headline,
        measures=Measured.from_dict(found.summary()),
        terms=found.headline_terms,
        train_s=train_s,
        evaluate_s=evaluate_s,
        peak_gib=peak,
        steps=trained.steps,
        search_steps=plan.steps,
        learning_rates=own,
        threads=job.threads,
    )


def _head(model: Any) -> Any:
    from ..inserting.parameter_groups import parameter_groups

    return parameter_groups(model)["head"].values()


def peak_gib() -> float | None:
    """The most memory so far, GiB: the GPU's where one is used, else resident memory of this process, libraries, data
    and all. Without ``/proc`` it is ``ru_maxrss``, and ``None`` where the system does not tell that either.
    """
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    held = resident_bytes(peak=True)
    if held is not None:
        return held / 2**30
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def _end_with_parent() -> None:
    """Let the kernel end this process if the comparison is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DIED, signal.SIGKILL, 0, 0, 0)


def main() -> None:
    """Exit codes as of the command line: 2 for wrong input, 1 for failed work; ``failure.txt`` says why."""
    _end_with_parent()
    folder = Path(sys.argv[1])
    quiet_libraries()
    keep_freed_memory()
    try:
        found = work(folder)
        recipe = read_json(folder / RECIPE)
        write_recorded_json(folder / RESULT, {**found.to_dict(), "recipe": recipe})
    except Exception as error:
        write_text(folder / FAILURE, f"{_reason(error)}\n")
        if isinstance(error, InputError | RunError | OSError | MemoryError):
            sys.exit(2 if isinstance(error, InputError) else 1)
        raise


def _reason(error: Exception) -> str:
    if is_disk_failure(error) or is_memory_failure(error) or isinstance(error, MemoryError):
        return f"no memory or disk left: {error}"
    return str(error) if isinstance(error, InputError | RunError) else f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
