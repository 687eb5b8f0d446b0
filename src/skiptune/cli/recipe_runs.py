"""Find the recipe or the run that a command works on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..core.digests import check_recorded
from ..core.distributed import on_main
from ..core.errors import InputError

if TYPE_CHECKING:
    from ..running.recipe import Recipe
    from ..running.run import Run


def run_of(source: str, output: str | None, changes: list[str] | None) -> Run:
    """A run of a recipe, in all processes of the job."""
    recipe = on_main(lambda: recipe_of(source, output, changes))  # before the import, so that a mistake is told at once
    from ..running.run import Run

    return Run(recipe)


def recipe_of(source: str, output: str | None, changes: list[str] | None) -> Recipe:
    """A recipe file or packaged recipe, with the changes that were asked for."""
    from ..running.recipe_reading import read_recipe

    return read_recipe(source, changes or (), output)


def finished_run(folder: Path) -> Run:
    """The run of a directory, by the recipe that is kept in it.

    Raises:
        InputError: it is no run's directory, or the recipe in it is not valid.
    """
    path = folder / "recipe.json"
    if not path.is_file():
        raise InputError(f"{folder}: not the directory of a run (no recipe.json)")
    check_recorded(path, "Put it back.")
    return run_of(str(path), str(folder), None)
