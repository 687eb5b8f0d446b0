"""A comparison of methods: train what is missing, time everything, write the results."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config import Budget
from ..core.errors import InputError, RunError
from ..core.extras import require_extra
from ..core.files import write_atomically, write_json, write_text
from ..core.formatting import counted, duration, sentence
from ..core.measured_text import timing_warnings
from ..core.measurements import Latency
from ..core.process import best_device, versions
from ..core.progress import console
from ..methods.compare_config import MethodName
from ..methods.registry import METHODS
from ..running.recipe import Recipe
from ..running.run import Run
from ..running.run_models import ENCODED
from ..running.same_inputs import SameInputs
from ..searching.search import prepare_search
from ..spreading.cluster import Cluster, Needs
from ..spreading.node import NodeFacts
from ..training.encoder_cache import EncoderCache
from .compare_results import CompareResults, Row
from .estimate import Estimate
from .job_files import JobSettings
from .job_pool import carry_out
from .jobs import Job, budgets_of, finished, jobs_of, label
from .node_jobs import NodePool
from .page import page
from .pareto_plot import pareto_plot
from .rows import paired, rows_of, scores_of
from .timing import timed

_NOTES = (
    "trainable_percent: trained parameters without the task head, of all of the original's.",
    "macs_g: one forward pass of the slim form (LoRA and (IA)3 merged) at batch 1 and the sizes under input.",
    "latency_s: median forward pass of the slim form at the first batch size, models in turns in one process.",
    "train_s: wall time of search and training, in one process of so many threads; with encoder_cache, others may "
    "have encoded its images and texts before.",
    "peak_gib: most memory of that process until the training ended: on a CPU resident memory, libraries and data "
    "included; on a GPU what torch allocated.",
    "Rows of one form and cost share one timing.",
)

#: About the part that was measured, where its name does not say it.
_PART_NOTES = {
    "reserved": ("The reserved part is a share of the validation images that no search saw.",),
    "validation": ("Searched plans were chosen on the validation part: what they have there is likely too good.",),
}


class MethodComparison:
    """The methods of a recipe's ``compare`` section side by side.

    Every job writes a file below ``compare/`` in the recipe's output; finished jobs are not repeated. ``compare.json``,
    ``compare.md`` and ``compare.png`` are written again after each job.

    Args:
        recipe: what to compare and how to train.
        jobs: number of processes at a time; they share the processor's cores.
        command: the command line, for the results.
        cluster: whose nodes train, ``jobs`` at a time on the smallest of them; ``None``: this machine.

    Raises:
        InputError: the extra ``compare`` is not installed, something cannot work, or results of other settings are in
            the way.
    """

    def __init__(self, recipe: Recipe, jobs: int = 1, command: str = "", cluster: Cluster | None = None) -> None:
        require_extra("compare", "scipy")
        self.run, self.command, self.cluster = Run(recipe), command, cluster
        self.recipe, self.folder = self.run.recipe, self.run.folder
        self.needs = cluster.share(jobs) if cluster else Needs(max(1, (os.cpu_count() or 1) // jobs))
        self.processes = cluster.at_once(self.needs) if cluster else jobs
        self.threads = int(self.needs.cpus)
        self.run.check()
        self.left_out, self.jobs = self._plan()
        self.results = finished(self.recipe, self.jobs)
        self.failed: dict[Job, str] = {}
        self.latency: Latency | None = None
        self.size, self.length = self.run.input_size()

    @property
    def _encoded(self) -> Path:
        """The file of cached encoder outputs for all jobs."""
        return self.folder / "compare" / ENCODED

    @property
    def missing(self) -> list[Job]:
        """Jobs that are not done yet."""
        return [job for job in self.jobs if job not in self.results]

    def estimate(self) -> Estimate:
        """Estimate how long the missing jobs will take, and print it."""
        found = Estimate(self.run, self.threads)
        total = duration(found.total(self.missing, self.processes))
        console.print(
            f"{len(self.jobs)} trainings of {found.steps} steps, {len(self.results)} of them done; the others take "
            f"about {total}, {self.processes} at a time with {counted(self.threads, 'threads')} each"
        )
        return found

    def all(self) -> list[Row]:
        """Do all missing jobs; returns the rows.

        Raises:
            RunError: some jobs failed. The others' rows are written all the same.
        """
        if self.missing:
            self._train(self.estimate())
        if not self.results:
            raise RunError(
                f"all {len(self.failed)} trainings failed; the first one: {next(iter(self.failed.values()))}"
            )
        if not self.missing:
            EncoderCache(self._encoded).remove()
        self.latency = timed(self.run, self.results, self.size, self.length)
        rows = self.write()
        if self.failed:
            lines = "".join(f"\n  - {job.name}, seed {job.seed}: {why}" for job, why in self.failed.items())
            raise RunError(
                f"{len(self.failed)} of {len(self.jobs)} trainings failed; the others are in "
                f"{self.folder / 'compare.md'}. Run the same command again to try them again.{lines}"
            )
        return rows

    def write(self) -> list[Row]:
        """Write the results so far; returns the rows."""
        rows = rows_of(self.results, self.latency)
        any_result = next(iter(self.results.values()))
        steps = max(result.steps for result in self.results.values())
        recipe = self.recipe
        timed_batches = self.latency.batches if self.latency else recipe.bench.batch_sizes
        warnings = timing_warnings(self.latency) if self.latency else []
        content = {
            "rows": rows,
            "paired": paired(rows, scores_of(self.results), any_result.part == "test"),
            "left_out": self.left_out,
            "failed": [{"name": job.name, "seed": job.seed, "reason": why} for job, why in self.failed.items()],
            "jobs": {"done": len(self.results), "of": len(self.jobs)},
            "metric": {"name": any_result.metric_name, "part": any_result.part, "unit": self.run.task.unit},
            "model": recipe.model,
            "task": recipe.task,
            "blocks": any_result.blocks,
            "input": {"image_size": list(self.size), "text_length": self.length},
            "records": {
                "train": len(self.run.data.train),
                "test": 0,
                **{part: len(records) for part, records in self.run.data.held_out.items()},
            },
            "training": {**recipe.train.to_dict(), "steps": steps, "seed": "see rows"},
            "adapters": recipe.adapters.to_dict(),
            "compare": recipe.to_dict()["compare"],
            "machine": {
                "device": best_device(),
                "processors": os.cpu_count(),
                "threads": any_result.threads,
                "nodes": [node.to_dict() for node in self._nodes],
            },
            "batch_sizes": [int(batch) for batch in timed_batches],
            "notes": [*_NOTES, *self._node_note(), *_PART_NOTES.get(any_result.part, ()), *map(sentence, warnings)],
            "command": self.command,
            "versions": versions(),
        }
        results = CompareResults.from_dict(content)
        write_json(self.folder / "compare.json", results.to_dict())
        write_text(self.folder / "compare.md", page(results))
        if self.latency:
            write_atomically(self.folder / "compare.png", lambda partial: pareto_plot(partial, results))
        return rows

    @property
    def _nodes(self) -> list[NodeFacts]:
        """The nodes on which trainings ran, if they did not run here."""
        nodes = {result.node.host: result.node for result in self.results.values() if result.node is not None}
        return [node for _, node in sorted(nodes.items())]

    def _node_note(self) -> list[str]:
        hosts = ", ".join(node.host for node in self._nodes)
        said = f"The trainings ran, and were timed, on nodes of a cluster: {hosts}. Latency is that of this machine."
        return [said] if hosts else []

    def _plan(self) -> tuple[dict[str, str], list[Job]]:
        """Methods that cannot be used, with the reasons, and the jobs of the others; nothing is trained yet."""
        recipe = self.recipe
        model = self.run.fresh_model(fitted=False)
        refusals = {name: METHODS[name].unusable(model) for name in recipe.compare.methods}
        left_out: dict[str, str] = {name: why for name, why in refusals.items() if why is not None}
        for name, why in left_out.items():
            console.print(f"left out: {name}: {why}")
        usable = [name for name in recipe.compare.methods if name not in left_out]
        if not usable:
            raise InputError("compare.methods: none of them can be used with this model")
        budgets = budgets_of(recipe)
        if any(METHODS[name].skips for name in usable):
            for budget in budgets:
                self._check_budget(model, budget)
        unmet = self._unmet(model, usable, budgets)
        for (name, budget), why in unmet.items():
            left_out[f"{name}, {label(budget)}"] = why
            console.print(f"left out: {name}, {label(budget)}: {why}")
        jobs = jobs_of(recipe, budgets, usable, unmet)
        if not jobs:
            raise InputError("compare.methods: none of them can be used with this model and budget")
        return left_out, jobs

    def _unmet(
        self, model: Any, methods: Sequence[MethodName], budgets: Sequence[Budget]
    ) -> dict[tuple[MethodName, Budget], str]:
        """Methods that cannot meet a budget, with the reasons."""
        found = {}
        for name in methods:
            for budget in budgets if METHODS[name].sweeps else budgets[:1]:
                why = METHODS[name].unmet(model, replace(self.run.experiment, budget=budget))
                if why is not None:
                    found[name, budget] = why
        return found

    def _check_budget(self, model: Any, budget: Budget) -> None:
        if budget.latency is not None:
            return  # the run's own check has timed it
        try:
            prepare_search(model, replace(self.run.experiment, budget=budget), None)
        except InputError as error:
            raise InputError(f"compare.levels: {error}") from None

    def _train(self, estimate: Estimate) -> None:
        waiting = self.missing
        expected = {job: estimate.seconds(job) for job in waiting}
        started, ended = time.perf_counter(), list[Job]()

        def report(job: Job, seconds: float, why: str | None) -> None:
            ended.append(job)
            if why is None:
                self.results = {**self.results, **finished(self.recipe, [job])}
                self.write()
                said_of = f"{self.results[job].metric:.2%}"
            else:
                self.failed[job] = why
                said_of = f"failed: {why.splitlines()[0]}"
            share = sum(expected[one] for one in ended) / sum(expected.values())
            left = (time.perf_counter() - started) * (1 / share - 1)
            console.print(
                f"[{len(ended)} of {len(waiting)}] {job.name}, seed {job.seed}: {said_of} ({duration(seconds)}; "
                f"about {duration(left)} left)",
                markup=False,
                highlight=False,
            )

        settings = JobSettings(
            image_size=self.size, text_length=self.length, threads=self.threads, encoded=str(self._encoded)
        )
        if self.cluster is None:
            carry_out(self.recipe, waiting, self.processes, settings, report)
            return
        NodePool(self.cluster, self.needs, SameInputs.of(self.run)).carry_out(self.recipe, waiting, settings, report)
