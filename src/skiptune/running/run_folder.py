"""Claim a run's directory; refuse a changed recipe on resume; the logs in it."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

from ..config import TrainConfig
from ..core.digests import SUMS, check_recorded, write_recorded_json
from ..core.errors import InputError
from ..core.folder_lock import LOCK
from ..core.output_folders import is_occupied
from ..core.temporaries import is_temporary
from ..core.text_files import read_json
from ..core.validated import Count, Validated
from ..searching.search_schedule import reward_batch_size
from ..training.checkpoints import examples_a_step, refuse_other_batch
from ..training.training_log import TrainingLog
from .begun_run import kept_recipe
from .recipe import Recipe
from .run_changes import RECIPE, has_work, refuse_other
from .run_inputs import INPUTS

_LOGS = "logs"
_BATCH = "batch.json"
_TIMED_BLOCKS = "checkpoints/*/allowance.json"
#: Files of a run that are there before its recipe is.
_UNCLAIMED = (
    LOCK, SUMS, _BATCH, INPUTS, f"{_LOGS}/bad-*.log", "checkpoints/*/allowance.json", f"checkpoints/*/{SUMS}"
)  # fmt: skip


class Batch(Validated):
    """Number of examples per step, which must not change when a run resumes.

    Attributes:
        examples_a_step: of training.
        reward_batch_size: of the held-out batches of the search.
    """

    examples_a_step: Count
    reward_batch_size: Count


def search_folder(recipe: Recipe, folder: Path) -> Path:
    """Where the checkpoints of the search are: with those of the training, where that goes on with the search."""
    return folder / "checkpoints" / ("train" if recipe.start == "search" else "search")


def is_begun(folder: Path, recipe: Recipe) -> bool:
    """Whether ``folder`` holds a run of ``recipe``, or one that may become it. What a start leaves that was refused,
    failed or was killed before any work counts for nothing.

    Raises:
        InputError: it is a file, holds something else or another recipe's run; two recipes are never mixed.
    """
    path = folder / RECIPE
    occupied = is_occupied(folder, "output")
    if path.is_file():
        found, begun = kept_recipe(path), has_work(folder)
        if begun:
            _refuse_other(folder, recipe, found)
        return begun
    if occupied and any(_is_of_others(folder, entry) for entry in folder.rglob("*")):
        raise InputError(f"output: {folder} is not empty and not a run; name another directory")
    return False


def claim(folder: Path, recipe: Recipe) -> None:
    """Begin a run of ``recipe`` in ``folder``, which is there."""
    if (folder / RECIPE).is_file() and kept_recipe(folder / RECIPE) != recipe:
        for path in folder.glob(_TIMED_BLOCKS):  # may be those of another model
            path.unlink()
    batch = Batch(
        examples_a_step=examples_a_step(recipe.train), reward_batch_size=reward_batch_size(recipe.search, recipe.train)
    )
    write_recorded_json(folder / _BATCH, batch.to_dict())
    write_recorded_json(folder / RECIPE, recipe.to_dict())  # last: from now on it is a run


def _is_of_others(folder: Path, entry: Path) -> bool:
    """Whether a file is none that a run writes before it claims its directory."""
    name = entry.relative_to(folder)
    passing = any(is_temporary(Path(part)) for part in name.parts)
    return not (entry.is_dir() or passing or any(fnmatch(name.as_posix(), own) for own in _UNCLAIMED))


def _refuse_other(folder: Path, wanted: Recipe, found: Recipe) -> None:
    """Refuse the recipe ``wanted`` where ``folder`` holds a run of the recipe ``found``; however a batch is split up,
    it is the same."""
    if (folder / _BATCH).is_file() and wanted.train != found.train:
        check_batch(folder, wanted.train)
        wanted, found = _without_batch(wanted), _without_batch(found)
    refuse_other(folder, wanted, found)


def check_batch(folder: Path, training: TrainConfig) -> int | None:
    """Check, before any training, that the number of examples per step is that of the run's start, whatever the number
    of processes. Returns the size of the run's held-out batches, if it is known.

    Raises:
        InputError: the number of examples per step has changed.
    """
    path = folder / _BATCH
    if not path.is_file():
        return None
    batch = Batch.from_dict(
        read_json(path), f"{path}: not the batch of a run; edited? Remove it to go on with the recipe's own"
    )
    check_recorded(path, "Remove it to go on with the recipe's own.")
    refuse_other_batch(str(folder), batch.examples_a_step, training)
    return batch.reward_batch_size


def _without_batch(recipe: Recipe) -> Recipe:
    """The recipe without the fields that only split a batch up."""
    train = recipe.train.replace(batch_size=1)
    if recipe.search.draw != "micro_batch":
        train = train.replace(gradient_accumulation=1)
    return recipe.replace(train=train)


def save_log(folder: Path, name: str, log: TrainingLog) -> None:
    """Keep the log of the training ``name``."""
    write_recorded_json(_log_path(folder, name), log.to_dict())


def load_log(folder: Path, name: str) -> TrainingLog:
    """The log of the training ``name``.

    Raises:
        InputError: missing, truncated, edited or damaged file.
    """
    path = _log_path(folder, name)
    log = TrainingLog.load(path)
    check_recorded(path, "Remove it to go on without.")
    return log


def logs(folder: Path) -> list[str]:
    """The names of the trainings that there are logs of."""
    return [path.stem for path in sorted((folder / _LOGS).glob("*.json"))]


def _log_path(folder: Path, name: str) -> Path:
    return folder / _LOGS / f"{name}.json"
