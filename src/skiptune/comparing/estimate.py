"""Estimate the time of a comparison, from a few steps of training and a small evaluation on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from ..core.progress import busy, console, without_bars
from ..inserting.parameter_groups import unfreeze
from ..methods.registry import METHODS
from ..running.run import Run
from ..searching.training_length import TrainingLength
from ..tasks.evaluation import evaluate
from ..training.fit import fit
from .jobs import Job

_STEPS = 4
_RECORDS = 32
_START = 15.0  # seconds: a new process, its imports, data and model


class Estimate:
    """Seconds of single jobs.

    Args:
        run: of the comparison's recipe.
        threads: of each process.
    """

    def __init__(self, run: Run, threads: int) -> None:
        self.run = run
        console.print("estimating how long the trainings take, by a few steps")
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            self.steps = TrainingLength.of(run.recipe.train, len(run.data.train)).steps
            with busy("estimating"), without_bars():
                self.step, self.whole_step, self.evaluation = self._measure()
        finally:
            torch.set_num_threads(before)

    def seconds(self, job: Job) -> float:
        """Estimated seconds of a job, without what its plan saves."""
        method = METHODS[job.method]
        step = (self.whole_step if method.whole else self.step) * method.trains
        comparing = 1 + self.run.recipe.search.cost * method.skips
        return _START + step * self.steps * comparing + self.evaluation

    def total(self, jobs: Sequence[Job], processes: int) -> float:
        """Estimated seconds of all jobs, with ``jobs`` processes."""
        return sum(self.seconds(job) for job in jobs) / max(1, min(processes, len(jobs)))

    def _measure(self) -> tuple[float, float, float]:
        run = self.run
        model: Any = run.fresh_model(fitted=False)
        step = self._step(model)
        part: Any = run.data.held_out[run.data.reported]
        few = [part[row] for row in range(min(_RECORDS, len(part)))]
        began = time.perf_counter()
        evaluate(model, run.task, few, title="measuring")
        evaluation = (time.perf_counter() - began) * (len(part) / len(few)) ** run.task.growth
        unfreeze(model)
        return step, self._step(model), evaluation

    def _step(self, model: Any) -> float:
        """Seconds of one step, without the first ones."""
        recipe = self.run.recipe
        short = recipe.train.replace(max_steps=1, save_steps=10 * _STEPS, learning_rate=0.0)
        model.skip_config = model.skip_config.replace(init="zero")  # no training here
        longer = short.replace(max_steps=1 + _STEPS)
        once = fit(model, replace(self.run.experiment, training=short)).seconds
        several = fit(model, replace(self.run.experiment, training=longer)).seconds
        return max(0.0, several - once) / _STEPS or once
