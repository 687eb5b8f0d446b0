"""Results of a run from the files of its steps: ``results.json``, and the measurements for the slim model's card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..core.digests import check_recorded, write_recorded_json
from ..core.measurements import Latency, MeasuredParts
from ..core.process import versions
from ..core.text_files import read_json
from ..core.validated import Validated
from ..costs.cost_table import cost_table
from ..data.parts import Data
from ..exporting.measures import Measures
from ..plan import Plan
from ..reporting.result_sections import (
    AdapterStart,
    Bytes,
    ChosenPlan,
    History,
    InputSize,
    Metric,
    Operations,
    Parameters,
    RecordedRecipe,
    Records,
)
from ..reporting.results import Results
from ..tasks.input_size import input_size
from ..version import __version__
from .evaluation_step import RunEvaluation
from .recipe import Recipe
from .run_folder import load_log, logs
from .run_inputs import read_inputs
from .run_models import RunModels
from .step_files import AGAIN, STEP_SECONDS, read_step
from .train_baseline import MeasuredBaseline

V = TypeVar("V", bound=Validated)


@dataclass(frozen=True)
class StepResults:
    """The results of a run's steps."""

    plan: Plan
    evaluation: RunEvaluation
    latency: Latency
    baselines: Mapping[str, MeasuredBaseline]
    adapter_start: AdapterStart | None


def build_results(models: RunModels, steps: StepResults) -> Results:
    """All results of a run; also written to ``results.json``.

    Raises:
        InputError: a file of a step was edited.
    """
    recipe, task, data, folder = models.recipe, models.task, models.data, models.folder
    size, length = input_size(task, data.validation)
    plan, original = steps.plan, models.original()
    cost = cost_table(original, recipe.adapters, plan.skipped, size, length, tokens=plan.tokens)
    parameters = {**cost.parameters, "slim": cost.parameters_with_plan, "trained": cost.trained_with_plan}
    damaged = task.images.damaged
    results = Results(
        skiptune_version=__version__,
        recipe=RecordedRecipe.from_dict(recipe.to_dict()),
        plan=_chosen(plan),
        metric=Metric(name=task.metric, unit=task.unit, **steps.evaluation.parts),
        samples=steps.evaluation.samples,
        adapter_start=steps.adapter_start,
        baselines={name: found.beside(steps.evaluation.terms) for name, found in steps.baselines.items()},
        operations=Operations.from_dict(cost.macs_g),
        relative_macs=cost.relative_macs,
        input=InputSize(image_size=size, text_length=length),
        parameters=Parameters.from_dict(parameters),
        bytes=Bytes(slim=sum(file.stat().st_size for file in (folder / "slim").iterdir())),
        latency=steps.latency,
        history=_history(plan, folder),
        records=_records(data, len(damaged.problems()) if damaged else 0),
        answers=len(task.settings().get("answers", ())) or None,
        seconds={"search": None if plan.report is None else plan.report.seconds, **step_seconds(folder)},
        seed=recipe.train.seed,
        versions=versions(),
        **({"priors": steps.evaluation.priors} if steps.evaluation.priors else {}),  # runs of 0.3 have none
    )
    write_recorded_json(folder / "results.json", results.to_dict())
    return results


def _records(data: Data, bad_images: int) -> Records:
    parts = {"train": len(data.train), "validation": 0, "test": 0}
    found = {**parts, **{name: len(records) for name, records in data.held_out.items()}, "bad_images": bad_images}
    bad_rows = {name: len(rows) for name, rows in data.bad_rows.items()}
    unlabelled = {"unlabelled": data.unlabelled} if data.unlabelled else {}  # most sets have none
    return Records.from_dict({**found, "bad_rows": bad_rows, **unlabelled})


def _chosen(plan: Plan) -> ChosenPlan:
    found = ChosenPlan(strategy=plan.strategy, blocks=plan.blocks, skipped=plan.skipped, preferences=plan.preferences)
    if plan.tokens is not None:
        found = found.replace(tokens=plan.tokens)
    report = plan.report
    if report is None:
        return found
    found = found.replace(rounds=report.rounds)
    if report.comparisons is not None:
        found = found.replace(comparisons=report.comparisons)
    if report.protected is not None:
        found = found.replace(protected=report.protected)
    if report.nested is not None:
        found = found.replace(nested=report.nested)
    return found if report.certainty is None else found.replace(**dict(report.certainty))


def _history(plan: Plan, folder: Path) -> History:
    """What was logged of the search and of the training with the plan."""
    found = History(search=() if plan.report is None else plan.report.history, train=())
    if "train" not in logs(folder):
        return found
    log = load_log(folder, "train")
    found = found.replace(train=log.history)
    return found.replace(evaluations=log.evaluations, best_step=log.best_step) if log.evaluations else found


def step_seconds(folder: Path) -> dict[str, float]:
    """Wall time of the steps done so far, without the search, whose time is in its plan."""
    found = {name: load_log(folder, name).seconds for name in logs(folder)}
    for name in ("evaluation", "latency"):
        path = folder / f"{name}.json"
        if path.is_file():
            found[name] = read_json(path)[STEP_SECONDS]
    return found


def slim_measures(recipe: Recipe, folder: Path, size: Callable[[], tuple[int, int]]) -> Measures:
    """Measurements of the slim model so far, for its configuration and its card.

    Args:
        recipe: of the run.
        folder: of the run.
        size: gives the size of the images that latency was taken at, where no file of the run has it.

    Raises:
        InputError: a file of a step was edited.
    """
    evaluation = _if_done(folder / "evaluation.json", RunEvaluation)
    baselines = {name: _if_done(folder / "baselines" / f"{name}.json", MeasuredBaseline) for name in recipe.baselines}
    own = {} if evaluation is None else evaluation.terms
    beside: dict[str, MeasuredParts] = {
        name: MeasuredParts(**row.beside(own).parts) for name, row in baselines.items() if row is not None
    }
    found = Measures(
        data=recipe.data.name,
        seed=recipe.train.seed,
        accuracy=MeasuredParts() if evaluation is None else MeasuredParts(**evaluation.parts),
        baselines=beside,
        priors={} if evaluation is None else evaluation.priors,
        compared_on=_compared_on(folder),
        seen=_seen(recipe, folder),
    )
    latency = _if_done(folder / "latency.json", Latency)
    if latency is None:
        return found
    return found.replace(
        latency=latency.without_rounds(), image_size=latency.image_size or _size_in_results(folder) or size()
    )


def _size_in_results(folder: Path) -> tuple[int, int] | None:
    path = folder / "results.json"
    known = Results.load(path).input if path.is_file() else None
    return None if known is None else known.image_size


def _compared_on(folder: Path) -> str | None:
    """The part on which the search compared subnetworks, if it compared any."""
    path = folder / "plan.json"
    report = Plan.load(path).report if path.is_file() else None
    return "validation" if report and report.comparisons and report.comparisons.subnetworks else None


def _seen(recipe: Recipe, folder: Path) -> dict[str, str]:
    """Digests of the files of training and validation, with the part; a file of both is one that was trained on."""
    inputs, found = read_inputs(folder), dict[str, str]()
    if inputs is None or recipe.data.train is None:
        return found
    for part in ("validation", "train"):
        files = recipe.data.files(part, None)
        digests = [inputs.files.get(str(Path(path))) for path in (files.path if files else ())]
        found.update({digest: part for digest in digests if digest is not None})
    return found


def _if_done(path: Path, kind: type[V]) -> V | None:
    """The result of a step that may not be done yet."""
    if not path.is_file():
        return None
    found = read_step(read_json(path), path, kind)
    check_recorded(path, AGAIN)
    return found
