"""A finished run trains longer. What it had stays as it is until the longer training is done, and is then replaced."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from ..core.digests import write_recorded_json
from ..core.temporaries import remove
from ..training.trained_state import read_trained, save_trained
from ..training.training_log import TrainingLog
from .begun_run import kept_recipe
from .recipe import Recipe
from .run_changes import RECIPE
from .run_folder import load_log, logs, save_log

#: In a run's directory: the results of a longer training that are about to replace those of the run.
STAGE = "longer"
_TRAINED, _LOG = "trained.safetensors", "train"


def checkpoints_of(folder: Path, steps: int) -> Path:
    """Where the checkpoints of a training that is made as long as ``steps`` are."""
    return folder / "checkpoints" / f"longer-{steps}"


def steps_so_far(folder: Path, before: int, searched: int) -> int:
    """Optimizer steps of the weights in ``folder``: fewer than ``before`` if the training stopped early.

    ``searched`` are those of the search, if the training went on with it.
    """
    log = load_log(folder, _LOG) if _LOG in logs(folder) else None
    return before if log is None or not log.steps else searched + log.steps


def replace_results(folder: Path, recipe: Recipe, state: dict[str, Tensor], log: TrainingLog) -> None:
    """Put the results of a longer training in the place of those before; all that was made of them is removed.

    A kill at any time loses neither: :func:`finish_replacing` goes on.
    """
    stage = folder / STAGE
    remove(stage)
    stage.mkdir()
    before = load_log(folder, _LOG) if _LOG in logs(folder) else None
    save_trained(stage / _TRAINED, state)
    (log if before is None else before.then(log)).save(stage / f"{_LOG}.json")
    write_recorded_json(stage / RECIPE, recipe.to_dict())  # last: from now on the stage is whole
    finish_replacing(folder)


def finish_replacing(folder: Path) -> None:
    """Do what a killed :func:`replace_results` has left to do."""
    stage = folder / STAGE
    if not (stage / RECIPE).is_file():
        return
    made = ("evaluation.json", "latency.json", "slim", "plain", "baselines/*.json", "checkpoints/longer-*")
    for path in [path for pattern in made for path in folder.glob(pattern)]:
        remove(path)
    save_trained(folder / _TRAINED, read_trained(stage / _TRAINED))
    save_log(folder, _LOG, TrainingLog.load(stage / f"{_LOG}.json"))
    write_recorded_json(folder / RECIPE, kept_recipe(stage / RECIPE).to_dict())
    remove(stage / RECIPE)
    remove(stage)
