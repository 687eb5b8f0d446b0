"""A baseline of a run: a method trained with the same settings, by the same code as a comparison of methods."""

from __future__ import annotations

import copy
import shutil
from dataclasses import replace
from typing import Any

from pydantic import Field
from torch import nn

from ..core.distributed import on_main
from ..core.errors import InputError
from ..core.process import best_device
from ..costs.parameters import count_parameters
from ..experiment import Experiment
from ..inserting.pruning import remove_dead_blocks
from ..methods.baseline_method import baseline_method
from ..methods.method import TrainingContext
from ..methods.train_method import TrainedMethod, train_method
from ..reporting.result_sections import Baseline
from ..tasks.evaluation import evaluate
from .method_recipe import method_recipe
from .recipe import Recipe
from .run_folder import check_batch, save_log
from .run_models import ENCODED, RunModels
from .side_by_side import Terms, as_measured, terms_of, with_differences
from .step_files import step


def check_baselines(recipe: Recipe, model: nn.Module, experiment: Experiment) -> None:
    """Refuse baselines that ``model`` cannot be tuned by, or that cannot meet the budget of the ``experiment``.

    Raises:
        InputError: names the first of them and the reason.
    """
    for name in recipe.baselines:
        method = baseline_method(name, recipe.adapters.block_adapter)
        reason = method.unusable(model) or method.unmet(model, experiment)
        if reason is not None:
            raise InputError(f"baselines: {name}: {reason}")


class MeasuredBaseline(Baseline):
    """The content of the file of a baseline: what results say of it, and the terms of its headline by part."""

    terms: Terms = Field(default={})

    def beside(self, own: Terms) -> Baseline:
        """The baseline without its terms, with the differences of the run's model, whose terms are ``own``, to it."""
        values = {name: getattr(self, name) for name in self.model_fields_set - {"terms"}}
        return Baseline(**{**values, **with_differences(self, own, self.terms)})


def train_baseline(name: str, models: RunModels, experiment: Experiment) -> MeasuredBaseline:
    """Train the baseline ``name`` of a run and measure it, once: its result is a file.

    Args:
        name: as in the recipe.
        models: of the run.
        experiment: of the run's search and training.
    """
    folder, own = models.folder, models.recipe.adapters
    method = baseline_method(name, own.block_adapter)
    recipe = method_recipe(models.recipe, method)
    # fitted skip adapters are those of the run, if they have the same sizes
    models = replace(models, recipe=recipe, folder=folder if recipe.adapters == own else folder / "baselines" / name)
    experiment, checkpoints = replace(experiment, training=recipe.train), folder / "checkpoints" / name

    def train() -> TrainedMethod:
        on_main(lambda: check_batch(folder, recipe.train))
        context = TrainingContext(
            make=lambda: models.prepared(method),
            experiment=experiment,
            start=recipe.start,
            folder=checkpoints / "choice",
            inside=lambda model: models.cached_encoders(model, folder / ENCODED),
            checkpoints=checkpoints,
        )
        trained = train_method(method, context.make(), context)
        log = replace(trained.log, seconds=trained.seconds)
        on_main(lambda: save_log(folder, name, log))
        on_main(lambda: shutil.rmtree(checkpoints, ignore_errors=True))
        return trained

    def measure(trained: TrainedMethod) -> MeasuredBaseline:
        task, data, model = models.task, models.data, trained.model.to(best_device())
        slim = remove_dead_blocks(copy.deepcopy(model), trained.plan)
        found = {part: evaluate(model, task, records, title=name) for part, records in data.held_out.items()}
        values: dict[str, Any] = {
            **as_measured(found),
            "skipped": trained.plan.skipped,
            "trainable": count_parameters(slim)["trainable"],
            "seconds": trained.seconds,
            "terms": terms_of(found),
        }
        return MeasuredBaseline(**values)

    return step(folder / "baselines" / f"{name}.json", MeasuredBaseline, train, measure)
