"""Claim the directory of a run; refuse a changed recipe when the run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..config import TrainConfig
from ..core.errors import InputError
from ..core.files import read_json, write_json
from ..core.output_folders import is_occupied, make_output_folder
from ..core.validation import is_number
from ..searching.search_schedule import reward_batch_size
from ..training.checkpoints import examples_a_step, refuse_other_batch
from .recipe import Recipe

_BATCH = "batch.json"


def claim(folder: Path, recipe: Recipe) -> None:
    """Start a run of ``recipe`` in ``folder`` or go on with the same one; never mix two.

    Raises:
        InputError: it is a file, holds something else, or cannot be made.
    """
    path = folder / "recipe.json"
    wanted = recipe.to_dict()
    occupied = is_occupied(folder, "output")
    if path.is_file():
        _refuse_other(folder, wanted, read_json(path), recipe.train)
        return
    if occupied:
        raise InputError(f"output: {folder} is not empty and not a run; name another directory")
    make_output_folder(folder, "output")
    write_json(path, wanted)
    batch = {
        "examples_a_step": examples_a_step(recipe.train),
        "reward_batch_size": reward_batch_size(recipe.search, recipe.train),
    }
    write_json(folder / _BATCH, batch)


def _refuse_other(folder: Path, wanted: dict[str, Any], found: Any, training: TrainConfig) -> None:
    """Refuse the recipe ``wanted`` where ``folder`` holds a run of the recipe ``found``."""
    if not isinstance(found, dict):
        path = folder / "recipe.json"
        raise InputError(f"{path}: not the recipe of a run; edited? Remove it to go on with this one")
    if (folder / _BATCH).is_file() and wanted.get("train") != found.get("train"):
        check_batch(folder, training)
        wanted, found = without_batch(wanted), without_batch(found)
    free = ("output", "compare")  # what is compared may grow
    names = sorted(name for name in wanted if name not in free and found.get(name) != wanted[name])
    if names:
        raise InputError(
            f"output: {folder} holds a run with another {', '.join(names)}; "
            "name another output, or remove that directory"
        )


def check_batch(folder: Path, training: TrainConfig) -> int | None:
    """Before any training: the search, the training and its yardsticks see as many examples a step, whatever the
    number of processes. Returns the size of the held-out batches the run began with, if that is known.

    Raises:
        InputError: another number of examples a step than the run began with.
    """
    path = folder / _BATCH
    if not path.is_file():
        return None
    content = read_json(path)
    names = ("examples_a_step", "reward_batch_size")
    if not isinstance(content, dict) or not all(is_number(content.get(name), 1, whole=True) for name in names):
        raise InputError(f"{path}: not the batch of a run; edited? Remove it to go on with the recipe's own")
    refuse_other_batch(str(folder), content["examples_a_step"], training)
    return int(content["reward_batch_size"])


def without_batch(recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe's values but for those that say how a batch is split up, as far as that changes nothing."""
    train, search = recipe.get("train"), recipe.get("search")
    if not isinstance(train, dict) or not isinstance(search, dict):
        return recipe
    split = ("batch_size",) if search.get("draw") == "micro_batch" else ("batch_size", "gradient_accumulation")
    return {**recipe, "train": {name: value for name, value in train.items() if name not in split}}
