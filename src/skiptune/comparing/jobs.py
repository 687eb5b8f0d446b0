"""The jobs of a comparison: one for every method, budget and seed, each with a directory of its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..config import Budget
from ..core.digests import check_recorded
from ..core.text_files import read_json
from ..core.validation import Problems
from ..methods.compare_config import CompareConfig, MethodName
from ..methods.registry import METHODS
from ..running.begun_run import filled_in
from ..running.method_recipe import method_recipe
from ..running.recipe import Recipe
from .job_files import RESULT, JobFile, JobResult, JobSettings

#: Sections of a recipe that do not affect the result of a job.
_FREE = ("output", "bench", "baselines")


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        method: its name in the table.
        budget: of methods that meet one.
        seed: of data order, new weights, validation part and plans.
    """

    method: MethodName
    budget: Budget | None
    seed: int

    @property
    def name(self) -> str:
        """Of the row: the method's, with the budget."""
        return self.method if self.budget is None else f"{self.method}-{label(self.budget)}"

    def folder(self, output: Path) -> Path:
        """Where its files are."""
        return output / "compare" / self.name / str(self.seed)


def label(budget: Budget) -> str:
    """A short name, fit for a directory: ``4``, ``macs-0.25``."""
    if budget.num_skip is not None:
        return str(budget.num_skip)
    return f"macs{budget.macs:g}" if budget.macs is not None else f"latency{budget.latency:g}"


def budgets_of(recipe: Recipe) -> list[Budget]:
    """Those of ``compare.levels`` and no others, the recipe's own first if it is among them; without any, its own."""
    levels = recipe.compare.levels or ()
    found = [Budget(num_skip=int(level)) if level > 0 else Budget(macs=level) for level in levels]
    return sorted(dict.fromkeys(found), key=lambda budget: budget != recipe.budget) or [recipe.budget]


def jobs_of(
    recipe: Recipe,
    budgets: Sequence[Budget],
    methods: Sequence[MethodName],
    unmet: Collection[tuple[MethodName, Budget]] = (),
) -> list[Job]:
    """All jobs, seed by seed, so that there is a complete table early; further budgets come last.

    Args:
        recipe: complete.
        budgets: of :func:`budgets_of`; the first is that of all methods and seeds.
        methods: those of the recipe that can be used.
        unmet: methods with budgets that they cannot meet, which give no job.
    """
    found = [
        Job(name, budgets[0] if METHODS[name].budgeted else None, seed)
        for seed in recipe.compare.seeds
        for name in methods
        if METHODS[name].trains or seed == recipe.compare.seeds[0]
    ]
    sweeping = [name for name in methods if METHODS[name].sweeps]
    seeds = recipe.compare.sweep_seeds
    found += [Job(name, budget, seed) for seed in seeds for budget in budgets[1:] for name in sweeping]
    return [job for job in found if (job.method, job.budget) not in unmet]


def job_recipe(recipe: Recipe, job: Job) -> Recipe:
    """The recipe of one job: its seed, its budget, its learning rates, and what kept blocks get."""
    own, compare = method_recipe(recipe, METHODS[job.method]), recipe.compare
    return own.replace(
        output=str(job.folder(Path(recipe.output))),
        baselines=(),
        budget=job.budget or recipe.budget,
        train=own.train.replace(seed=job.seed),
        compare=CompareConfig(
            methods=(job.method,),
            seeds=(job.seed,),
            sweep_seeds=(),
            prompt_length=compare.prompt_length,
            parallel_width=compare.parallel_width,
            parallel_scale=compare.parallel_scale,
        ),
    )


def job_file(job: Job, settings: JobSettings) -> JobFile:
    """What the process of a job reads beside the recipe."""
    return JobFile(method=job.method, **dict(settings))


def finished(recipe: Recipe, jobs: Sequence[Job]) -> dict[Job, JobResult]:
    """The results of finished jobs.

    Raises:
        InputError: some are of other settings, or edited; all of them in one message.
    """
    problems = Problems("results of other settings are in the way; remove these directories or name another output")
    found: dict[Job, JobResult] = {}
    for job in jobs:
        folder = job.folder(Path(recipe.output))
        path = folder / RESULT
        if not path.is_file():
            continue
        content, wanted = read_json(path), job_recipe(recipe, job).to_dict()
        kept = filled_in(content.get("recipe")) if isinstance(content, dict) else None
        if not isinstance(kept, dict):
            problems.add(f"{path}: not the result of a job; edited?")
            continue
        other = sorted(name for name in wanted if name not in _FREE and kept.get(name) != wanted[name])
        problems.check(not other, f"{folder}: another {', '.join(other)}")
        found[job] = JobResult.from_dict(content, f"{path}: not the result of a job; edited?")
        check_recorded(path, "Remove it to train again.")
    problems.raise_any()
    return found
