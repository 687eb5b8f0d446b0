"""The first steps of a run, search and training, which are one training unless it starts afresh."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from transformers import PreTrainedModel

from ..core.distributed import on_main
from ..experiment import Experiment
from ..families.registry import family_of
from ..inserting.selection import blocks_of, check_plan
from ..plan import Plan
from ..searching.nested import measured_plan
from ..searching.plan_file import load_plan, save_plan
from ..searching.search import search
from ..training.checkpoints import has_checkpoint
from ..training.fit import fit
from ..training.trained_state import load_trained, read_trained, save_trained, trained_state
from .longer_training import checkpoints_of, replace_results, steps_so_far
from .recipe import Recipe
from .run_changes import whole_steps
from .run_folder import check_batch, save_log, search_folder
from .run_models import RunModels


@dataclass(frozen=True)
class TrainingSteps:
    """Search and training of a run.

    Attributes:
        models: of the run.
        experiment: of the run.
    """

    models: RunModels
    experiment: Experiment

    @property
    def folder(self) -> Path:
        """The directory of the run."""
        return self.models.folder

    @property
    def recipe(self) -> Recipe:
        """The recipe of the run."""
        return self.models.recipe

    @property
    def goes_on(self) -> bool:
        """Whether the training goes on with what the search has trained."""
        return self.recipe.start == "search"

    @property
    def _checkpoints(self) -> Path:
        return self.folder / "checkpoints" / "train"

    @property
    def _search_folder(self) -> Path:
        return search_folder(self.recipe, self.folder)

    def search(self) -> Plan:
        """The plan, see :meth:`skiptune.Run.search`."""
        path = self.folder / "plan.json"
        if not on_main(path.is_file):
            plan = self._search(self.models.adapted())
            on_main(lambda: save_plan(path, plan))
        if not self.goes_on:
            on_main(lambda: shutil.rmtree(self._search_folder, ignore_errors=True))
        return on_main(lambda: load_plan(path))

    def _search(self, model: PreTrainedModel) -> Plan:
        if self.recipe.plan is not None:
            return self.recipe.plan.of(family_of(model).name, tuple(blocks_of(model)))
        with self.models.cached_encoders(model):
            return search(model, self.search_experiment(), self._search_folder, keep_adapters=self.goes_on)

    def search_experiment(self) -> Experiment:
        """The experiment with held-out batches of the size that the run began with."""
        began_with = on_main(lambda: check_batch(self.folder, self.recipe.train))
        config = self.recipe.search
        size = config.reward_batch_size or began_with
        return replace(self.experiment, search=config.replace(reward_batch_size=size))

    def train(self) -> PreTrainedModel:
        """The trained model, see :meth:`skiptune.Run.train`."""
        plan, path = self.search(), self.folder / "trained.safetensors"
        model = self.models.adapted()
        check_plan(model, plan)
        if not on_main(path.is_file):
            on_main(lambda: check_batch(self.folder, self.recipe.train))
            self._take_search(model, plan)
            with self.models.cached_encoders(model):
                log = fit(model, self.experiment, plan, self._checkpoints, plan.steps if self.goes_on else 0)
                self._measure_beginnings(model, plan)
            on_main(lambda: save_log(self.folder, "train", log))
            state = trained_state(model)
            on_main(lambda: save_trained(path, state))
        on_main(lambda: shutil.rmtree(self._checkpoints, ignore_errors=True))
        read_tensors(path, model)
        return model

    def _measure_beginnings(self, model: PreTrainedModel, plan: Plan) -> None:
        """Write the held-out losses of a nested plan's beginnings into ``plan.json``."""
        if plan.nested is not None:
            measured = measured_plan(model, self.experiment, plan, self._checkpoints)
            on_main(lambda: save_plan(self.folder / "plan.json", measured))

    def _take_search(self, model: PreTrainedModel, plan: Plan) -> None:
        """What the search trained, for the training to go on with: its checkpoint, or the file of a run of 0.3."""
        older = self.folder / "searched.safetensors"
        if not self.goes_on or plan.steps == 0:
            return
        if on_main(older.is_file):
            read_tensors(older, model)
        elif not on_main(lambda: has_checkpoint(self._search_folder)):
            self._search(model)  # it ends with the same plan

    def train_longer(self, model: PreTrainedModel, steps_before: int) -> None:
        """Go on with the finished training of ``model`` for the rest of a longer schedule; its results then replace
        those before.

        Args:
            model: trained. Changed in place.
            steps_before: of the schedule before.
        """
        plan = self.search()
        searched = plan.steps if self.goes_on else 0
        done = on_main(lambda: steps_so_far(self.folder, steps_before, searched))
        whole = whole_steps(self.recipe.train, len(self.experiment.train))
        with self.models.cached_encoders(model):
            log = fit(model, self.experiment, plan, checkpoints_of(self.folder, whole), done)
            self._measure_beginnings(model, plan)
        state = trained_state(model)
        on_main(lambda: replace_results(self.folder, self.recipe, state, log))


def read_tensors(path: Path, model: PreTrainedModel) -> None:
    """Put the trained parameters of a file of the run into ``model``."""
    load_trained(model, on_main(lambda: read_trained(path)), source=str(path))
