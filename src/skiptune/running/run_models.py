"""The models of a run: pre-trained, and with new adapters, with the same weights at every call."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from torch import nn
from transformers import PreTrainedModel

from ..core.distributed import on_main
from ..core.process import best_device
from ..data.parts import Data
from ..inserting.insert import insert
from ..inserting.parameter_groups import parameter_groups
from ..methods.method import Method
from ..models.loading import load_model
from ..reporting.result_sections import AdapterStart
from ..tasks.task import Task
from ..training.encoder_cache import EncoderCache
from ..training.skip_adapter_init import fit_skip_adapters
from ..training.trained_state import load_tensors, read_trained, save_trained
from .recipe import Recipe
from .step_files import step

#: Outputs of frozen encoders, see :class:`EncoderCache`.
ENCODED = "encoded.sqlite"
_FITTED = "adapter_start.safetensors"


@dataclass(frozen=True)
class RunModels:
    """Makes the models of a recipe.

    Attributes:
        recipe: complete.
        folder: for skip adapters that are fitted once, and for cached encoder outputs.
        task: whose head the models get.
        read: gives the data, from which a head or skip adapters are initialised.
    """

    recipe: Recipe
    folder: Path
    task: Task
    read: Callable[[], Data]

    @property
    def data(self) -> Data:
        """The data of the run."""
        return self.read()

    def original(self) -> PreTrainedModel:
        """The pre-trained model with the task's head, which may be new: for costs and timings."""
        return load_model(self.recipe.model, self.task.model_class, **self.task.model_changes())

    def plain(self) -> PreTrainedModel:
        """The pre-trained model with the task's head, and nothing inserted."""
        changes, seed = self.task.model_changes(), self.recipe.train.seed
        model = load_model(self.recipe.model, self.task.model_class, seed=seed, **changes)
        if self.recipe.preset != "paper":
            self.task.start_head(model, self.data.train)
        return model

    def untrained(self) -> PreTrainedModel:
        """The structure of the trained model, for its weights; the data are not needed."""
        seed = self.recipe.train.seed
        model = load_model(self.recipe.model, self.task.model_class, seed=seed, quiet=True, **self.task.model_changes())
        insert(model, self.recipe.adapters, seed=seed)
        return model

    def adapted(self, fitted: bool = True) -> PreTrainedModel:
        """The pre-trained model with new adapters.

        ``fitted=False`` leaves out the fit of skip adapters for ``init: fit``, which needs a pass over data.
        """
        model = self.plain()
        insert(model, self.recipe.adapters, seed=self.recipe.train.seed)
        if fitted and self.recipe.adapters.init == "fit":
            self.adapter_start()
            path = self.folder / _FITTED
            load_tensors(parameter_groups(model)["skip_adapters"], on_main(lambda: read_trained(path)), str(path))
        return model

    def prepared(self, method: Method) -> nn.Module:
        """The pre-trained model as ``method`` tunes it; the recipe is that of the method."""
        if method.skips:
            adapted: nn.Module = self.adapted()
            return adapted
        return method.prepare(self.plain(), self.recipe.compare.setup(self.recipe.adapters, self.recipe.train.seed))

    def adapter_start(self) -> AdapterStart:
        """For ``init: fit``: skip adapters fitted to their blocks, once for the whole run."""

        def make(model: PreTrainedModel) -> AdapterStart:
            seed = self.recipe.train.seed
            errors = fit_skip_adapters(model.to(best_device()), self.task, self.data.train, seed=seed)
            fitted = parameter_groups(model)["skip_adapters"]
            state = {name: p.detach().cpu().contiguous() for name, p in fitted.items()}
            save_trained(self.folder / _FITTED, state)
            return AdapterStart(relative_error=errors)

        return step(self.folder / "adapter_start.json", AdapterStart, lambda: self.adapted(fitted=False), make)

    def cached_encoders(
        self, model: nn.Module, path: Path | None = None
    ) -> AbstractContextManager[EncoderCache | None]:
        """Context in which ``model``'s frozen encoders use cached outputs, if the recipe says so.

        ``path`` is that of the file; ``None``: ``encoded.sqlite`` in the folder.
        """
        gib = self.recipe.encoder_cache
        return nullcontext() if gib is None else EncoderCache(path or self.folder / ENCODED, gib).attached(model)
