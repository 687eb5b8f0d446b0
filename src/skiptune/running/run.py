"""A whole run, step by step: search, train, evaluate, export, time, report.

Every step writes its result to a file, so a killed run resumes where it was. Several processes train together; the
first one does everything else and writes all files.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from ..core.arguments import expect
from ..core.distributed import on_main
from ..core.files import write_atomically
from ..core.folder_lock import FolderLock, drop, hold
from ..core.measurements import Latency
from ..core.output_folders import make_output_folder
from ..core.process import best_device
from ..core.progress import say_once
from ..data.parts import Data
from ..data.record import Record
from ..experiment import Experiment
from ..exporting.export import annotate, export
from ..exporting.load import open_export
from ..exporting.manifest import read_manifest
from ..exporting.measures import Measures
from ..inserting.selection import check_plan, choose
from ..plan import Plan
from ..reporting.report import write_report
from ..reporting.results import Results
from ..searching.plan_file import load_plan
from ..searching.strategy_comparison import StrategyComparison, StrategyRow
from ..spreading.cluster import Cluster
from ..tasks.input_size import input_size
from ..tasks.task import Task
from ..training.encoder_cache import EncoderCache
from .begun_run import as_begun, kept_recipe
from .evaluation_step import RunEvaluation, measure
from .latency_step import time_models
from .longer_training import finish_replacing
from .patches_step import draw_patches
from .plain_step import export_plain
from .recipe import Recipe, with_preset
from .run_changes import RECIPE, RunChanges, keep_changes, settle
from .run_checks import check_models, check_records, check_steps
from .run_data import kept_task, make_task, processor_of, read_data
from .run_folder import claim, is_begun
from .run_inputs import RunInputs, inputs_of, keep_inputs, read_inputs
from .run_models import ENCODED, RunModels
from .run_results import StepResults, build_results, slim_measures, step_seconds
from .same_inputs import SameInputs
from .step_files import step
from .strategies_on_nodes import search_on_nodes
from .train_baseline import MeasuredBaseline, train_baseline
from .training_steps import TrainingSteps, read_tensors


class Run:
    """A run of a recipe in its output directory."""

    def __init__(self, recipe: Recipe) -> None:
        expect("Run", recipe=(recipe, Recipe))
        self.recipe = on_main(lambda: with_preset(as_begun(recipe)))
        self.folder = Path(recipe.output)
        self._changes = RunChanges()
        self._lock: FolderLock | None = None

    @cached_property
    def data(self) -> Data:
        """The records."""
        return read_data(self.recipe, self.folder, lambda: self._processor)

    @cached_property
    def task(self) -> Task:
        """The task."""
        return make_task(self.recipe, self.data, self.folder, self._processor)

    @cached_property
    def _processor(self) -> Any:
        return processor_of(self.recipe)

    @property
    def models(self) -> RunModels:
        """Makes the models."""
        return RunModels(self.recipe, self.folder, self.task, lambda: self.data)

    @property
    def experiment(self) -> Experiment:
        """The experiment of the search and the training."""
        data, recipe = self.data, self.recipe
        return Experiment(self.task, data.train, data.validation, recipe.budget, recipe.search, recipe.train)

    @property
    def _training(self) -> TrainingSteps:
        return TrainingSteps(self.models, self.experiment)

    def check(self) -> None:
        """Refuse everything that cannot work before any work starts; then the directory belongs to this run.

        A run that has begun goes on with a recipe in which some fields are others, see
        :mod:`skiptune.running.run_changes`.

        Raises:
            InputError: data, model, budget or output directory are not usable, are not those that the run began with,
                or another process works in the directory.
        """

        def check() -> RunChanges:
            is_begun(self.folder, self.recipe)
            make_output_folder(self.folder, "output")
            self._lock = hold(self.folder, "output")
            finish_replacing(self.folder)
            begun = is_begun(self.folder, self.recipe)  # another process may have begun one
            try:
                inputs = self._checked_inputs(begun)
            except BaseException:
                if not begun:
                    drop(self.folder)
                raise
            if inputs is not None:
                keep_inputs(self.folder, inputs)
            if begun:
                return settle(self.folder, self.recipe, kept_recipe(self.folder / RECIPE), len(self.data.train))
            claim(self.folder, self.recipe)
            return RunChanges()

        self._changes = on_main(check)

    def _checked_inputs(self, begun: bool) -> RunInputs | None:
        """What the run is given, checked; ``None`` if it is kept already."""
        check_records(self.recipe, self.data)
        check_steps(self.recipe, len(self.data.train))
        inputs = inputs_of(self.recipe, self.data, self.task)
        kept = read_inputs(self.folder) if begun else None
        if kept is not None:
            kept.refuse_other(inputs, self.recipe)
        elif begun:
            say_once(f"{self.folder}: begun by a version that kept no digests; what it left is used unchecked")
        if not (self.folder / "plan.json").is_file():
            check_models(self.models, self.experiment)
        return None if kept is not None else inputs

    def all(self) -> Results:
        """Do all steps that are not done yet; returns the content of ``results.json``."""
        self.check()
        self.search()
        self.train()
        for name in self.recipe.baselines:
            self.baseline(name)
        self.evaluate()
        self.export()
        self.latency()
        if self.recipe.export.form == "plain":
            on_main(lambda: export_plain(self.folder, self.trained, self.measured))
        results = self.results()
        on_main(lambda: draw_patches(self.folder, self.search().tokens, self.task, self._shown, self.train))
        on_main(lambda: write_report(self.folder, results))
        on_main(EncoderCache(self.folder / ENCODED).remove)
        self._lock = None
        return results

    @property
    def _shown(self) -> Sequence[Record]:
        """Records whose pictures are shown."""
        return self.data.held_out[self.data.reported]

    def fresh_model(self, fitted: bool = True) -> PreTrainedModel:
        """The pre-trained model with new adapters, see :meth:`RunModels.adapted`."""
        return self.models.adapted(fitted)

    def plain_model(self) -> PreTrainedModel:
        """The pre-trained model with the task's head, and nothing inserted."""
        return self.models.plain()

    def cached_encoders(
        self, model: nn.Module, path: Path | None = None
    ) -> AbstractContextManager[EncoderCache | None]:
        """Context in which ``model``'s frozen encoders use cached outputs, if the recipe says so."""
        return self.models.cached_encoders(model, path)

    def search(self) -> Plan:
        """Step 1: the plan, in ``plan.json``. With ``start: search`` it is the first part of the training, which
        :meth:`train` goes on with from its checkpoint."""
        return self._training.search()

    @property
    def strategies(self) -> StrategyComparison:
        """Searches with several strategies, in ``compare/``."""
        return StrategyComparison(self.fresh_model, self.experiment, self.folder / "compare", self.cached_encoders)

    def compare(self, strategies: Sequence[str], cluster: Cluster | None = None) -> list[StrategyRow]:
        """Search with several strategies, in ``compare/``; writes a plot too. With a ``cluster``, its nodes search."""
        if cluster is not None:
            search_on_nodes(self.strategies, strategies, cluster, SameInputs.of(self))
        rows = self.strategies.rows(strategies)
        from ..reporting.strategy_plot import strategy_plot  # matplotlib is slow to import

        write_atomically(self.folder / "compare" / "compare.png", lambda partial: strategy_plot(partial, rows))
        return rows

    def train(self) -> PreTrainedModel:
        """Step 2: the adapters trained with the plan, in ``trained.safetensors``. A finished training goes on if the
        recipe's is longer now."""
        model = self._training.train()
        if self._changes.longer:
            self._training.train_longer(model, self._changes.steps_before)
            self._changes = RunChanges()
        choose(model, self.search())
        return model.to(best_device())

    def _finish_longer(self) -> None:
        """What was made of a training that goes on is no result any more."""
        if self._changes.longer:
            self.train()

    def trained(self) -> tuple[PreTrainedModel, Plan, Task]:
        """The model of a finished training, its plan, and the task as the run keeps it: the data are not needed.

        Raises:
            InputError: the pre-trained model is not the one that was trained on, or a file was edited or damaged.
        """
        task = kept_task(self.recipe, self.folder) or self.task
        models = RunModels(self.recipe, self.folder, task, lambda: self.data)
        model, plan = models.untrained(), load_plan(self.folder / "plan.json")
        check_plan(model, plan)
        read_tensors(self.folder / "trained.safetensors", model)
        choose(model, plan)
        return model.to(best_device()), plan, task

    def baseline(self, name: str) -> MeasuredBaseline:
        """A method trained beside the plan with the same settings, in ``baselines/``."""
        return train_baseline(name, self.models, self._training.search_experiment())

    def evaluate(self) -> RunEvaluation:
        """Step 3: measures on validation and, once, on test, in ``evaluation.json``."""

        def make(model: PreTrainedModel) -> RunEvaluation:
            with self.cached_encoders(model):
                return measure(model, self.task, self.data, self.recipe.train.seed)

        self._finish_longer()
        return step(self.folder / "evaluation.json", RunEvaluation, self.train, make)

    def export(self) -> Path:
        """Step 4: the slim model, in ``slim/``.

        Raises:
            InputError: one is there, and it is not as it was exported.
        """
        self._finish_longer()
        target = self.folder / "slim"
        if on_main((target / "config.json").is_file):
            on_main(lambda: open_export(target, verify=True))
        else:
            self.evaluate()
            model, plan = self.train(), self.search()
            on_main(lambda: export(model, target, plan, self.task, extra=self.measured().to_dict()))
        return target

    def measured(self) -> Measures:
        """Measurements of the slim model so far, for its configuration and its card."""
        return slim_measures(self.recipe, self.folder, lambda: self.input_size()[0])

    def latency(self) -> Latency:
        """Step 5: original, unskipped with adapters, and slim model timed in turns, in ``latency.json``."""

        def make(slim: Path) -> Latency:
            return time_models(self.models, slim, *self.input_size())

        self._finish_longer()
        again = self._changes.timing
        found = step(self.folder / "latency.json", Latency, self.export, make, again)
        on_main(self._tell_latency)
        if again:
            on_main(self._keep_timing)
            self._changes = RunChanges()
        return found

    def _keep_timing(self) -> None:
        path = self.folder / RECIPE
        keep_changes(self.folder, self.recipe, kept_recipe(path), self._changes.fields)

    def _tell_latency(self) -> None:
        """Add to the slim model's card what was measured after it was written: timings, and baselines that are new."""
        slim = self.folder / "slim"
        told = read_manifest(slim).extra
        more = set(self.recipe.baselines) - set(told.get("baselines", {}))
        if "latency" not in told or more or self._changes.timing:
            annotate(slim, self.measured().to_dict())

    def input_size(self) -> tuple[tuple[int, int], int]:
        """(height, width) and text length for which costs and latency are stated."""
        return input_size(self.task, self.data.validation)

    def results(self) -> Results:
        """All results of the run, also in ``results.json``."""
        steps = StepResults(
            self.search(),
            self.evaluate(),
            self.latency(),
            {name: self.baseline(name) for name in self.recipe.baselines},
            self.models.adapter_start() if self.recipe.adapters.init == "fit" else None,
        )
        return on_main(lambda: build_results(self.models, steps))

    def step_seconds(self) -> dict[str, float]:
        """Wall time of the steps done so far, without the search, whose time is in its plan."""
        return step_seconds(self.folder)
