"""Claim a run directory; refuse a changed recipe on resume."""

from __future__ import annotations

from pathlib import Path

from ..config import TrainConfig
from ..core.errors import InputError
from ..core.files import write_json
from ..core.output_folders import is_occupied, make_output_folder
from ..core.text_files import read_json
from ..core.validated import Count, Validated
from ..searching.search_schedule import reward_batch_size
from ..training.checkpoints import examples_a_step, refuse_other_batch
from .begun_run import kept_recipe
from .recipe import Recipe

_BATCH = "batch.json"


class Batch(Validated):
    """Number of examples per step, which must not change when a run resumes.

    Attributes:
        examples_a_step: of training.
        reward_batch_size: of the held-out batches of the search.
    """

    examples_a_step: Count
    reward_batch_size: Count


def claim(folder: Path, recipe: Recipe) -> None:
    """Start a run of ``recipe`` in ``folder``, or resume the same recipe; two recipes are never mixed.

    Raises:
        InputError: it is a file, holds something else, or cannot be made.
    """
    path = folder / "recipe.json"
    occupied = is_occupied(folder, "output")
    if path.is_file():
        _refuse_other(folder, recipe, kept_recipe(path))
        return
    if occupied:
        raise InputError(f"output: {folder} is not empty and not a run; name another directory")
    make_output_folder(folder, "output")
    write_json(path, recipe.to_dict())
    batch = Batch(
        examples_a_step=examples_a_step(recipe.train), reward_batch_size=reward_batch_size(recipe.search, recipe.train)
    )
    write_json(folder / _BATCH, batch.to_dict())


def _refuse_other(folder: Path, wanted: Recipe, found: Recipe) -> None:
    """Refuse the recipe ``wanted`` where ``folder`` holds a run of the recipe ``found``."""
    if (folder / _BATCH).is_file() and wanted.train != found.train:
        check_batch(folder, wanted.train)
        wanted, found = _without_batch(wanted), _without_batch(found)
    free = ("output", "compare")  # what is compared may grow
    names = [name for name in Recipe.model_fields if name not in free and getattr(found, name) != getattr(wanted, name)]
    if names:
        raise InputError(
            f"output: {folder} holds a run with another {', '.join(sorted(names))}; "
            "name another output, or remove that directory"
        )


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
    refuse_other_batch(str(folder), batch.examples_a_step, training)
    return batch.reward_batch_size


def _without_batch(recipe: Recipe) -> Recipe:
    """The recipe without the fields that only split a batch up."""
    train = recipe.train.replace(batch_size=1)
    if recipe.search.draw != "micro_batch":
        train = train.replace(gradient_accumulation=1)
    return recipe.replace(train=train)


def log_path(folder: Path, name: str) -> Path:
    """Where the log of the training ``name`` is."""
    return folder / "logs" / f"{name}.json"
