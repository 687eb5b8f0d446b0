"""Checks of a family: what is written to disk."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from ..config import SkipConfig
from ..exporting.export import export
from ..exporting.load import load
from ..inserting.adapted_class import plain_class
from ..inserting.parameter_groups import parameter_groups
from ..inserting.pruning import prune
from ..inserting.selection import choose
from ..models.construction import unsaid
from ..plan import Plan
from .trial import Trial, differences, run

#: Of the largest number, where weights were merged.
_ROUNDING = 1e-4
#: So that adapters which are folded in the wrong place are not taken for rounding.
_MUCH = 5.0


@torch.no_grad()
def slim_models(trial: Trial) -> Iterator[str]:
    """A slim model computes what the whole model does with the plan chosen."""
    model = trial.adapted(noise=True)
    skipped = trial.names[::2] if len(trial.names) > 1 else ()
    plan = Plan(trial.family.name, trial.names, skipped)
    choose(model, skipped)
    wanted = run(model, trial.inputs)
    most = 0.0 if trial.config.block_adapter == "bottleneck" else _ROUNDING  # LoRA is merged
    for said in differences(run(prune(copy.deepcopy(model), plan).eval(), trial.inputs), wanted, most):
        yield f"{said} without the weights of skipped blocks"
    if plain_class(model) not in (*trial.family.model_classes.values(), *trial.family.bare_classes):
        yield f"{type(model).__name__} is in neither model_classes nor bare_classes, so that no slim model of it loads"
        return
    with TemporaryDirectory() as folder:
        slim = load(export(model, Path(folder) / "slim", plan))
        for said in differences(run(slim, trial.inputs), wanted, most):
            yield f"{said} in a slim model that is loaded again"
        del slim  # its weights are memory-mapped


@torch.no_grad()
def folded_adapters(trial: Trial) -> Iterator[str]:
    """Linear skip adapters become a part of kept blocks' weights, where the family's table says that they can."""
    if not any(kind.folding for kind in trial.family.kinds):
        return
    model = trial.adapted(SkipConfig(block_adapter="none", skip_adapter="folded"), noise=True)
    for weight in parameter_groups(model)["skip_adapters"].values():
        weight.mul_(_MUCH)
    for skipped in trial.sets()[1:]:
        choose(model, skipped)
        wanted = run(model, trial.inputs)
        slim = prune(copy.deepcopy(model), Plan(trial.family.name, trial.names, skipped)).eval()
        for said in differences(run(slim, trial.inputs), wanted, _ROUNDING):
            yield f"{said} with folded adapters of skipped {', '.join(skipped)}"


@torch.no_grad()
def saved_models(trial: Trial) -> Iterator[str]:
    """A model that transformers saves and loads takes the same adapters and gives the same outputs."""
    with TemporaryDirectory() as folder, unsaid():
        trial.model.save_pretrained(folder)
        loaded = type(trial.model).from_pretrained(folder).to(trial.model.dtype)
        again = Trial(loaded, trial.family, trial.inputs)
        wanted = run(trial.adapted(noise=True), trial.inputs)
        for said in differences(run(again.adapted(noise=True), trial.inputs), wanted):
            yield f"{said} after save_pretrained and from_pretrained"
        del loaded, again
