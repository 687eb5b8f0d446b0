"""``skiptune recipes``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import InputError
from .options import takes


@dataclass(frozen=True)
class RecipesOptions:
    """The command line of ``skiptune recipes``."""

    name: Annotated[str | None, typer.Argument(help="One of them, to print it; without: list all.")] = None
    copy: Annotated[Path | None, typer.Option("--copy", "-c", help="Write it to this file instead.")] = None
    force: Annotated[bool, typer.Option("--force", help="With --copy: replace a file that is there.")] = False
    fields: Annotated[
        bool, typer.Option("--fields", help="Print every field of a recipe, or of the section NAME, and its values.")
    ] = False


@takes(RecipesOptions)
def recipes(options: RecipesOptions) -> None:
    """List the recipes that come with the package, print one, copy one; or list the fields of recipes.

    Relative paths of data in a packaged recipe are relative to the working directory, those in a copy to the copy.
    """
    from ..running.packaged_recipes import recipe_lines, recipe_text

    if options.fields:
        if options.copy is not None:
            raise InputError("--fields and --copy: give one of them")
        _print_fields(options.name)
    elif options.name is None:
        if options.copy is not None:
            raise InputError("--copy: name the recipe to copy")
        lines = recipe_lines()
        wide = max(map(len, lines))
        for name, line in lines.items():
            typer.echo(f"{name:<{wide}}  {line}")
    elif options.copy is None:
        typer.echo(recipe_text(options.name), nl=False)
    else:
        from ..core.output_folders import write_new_text

        write_new_text(options.copy, recipe_text(options.name, options.copy), options.force)
        typer.echo(f"{options.copy}: skiptune run {options.copy}")


def _print_fields(section: str | None) -> None:
    from ..running.recipe_fields import field_lines

    for line in field_lines(section):
        typer.echo(line)
