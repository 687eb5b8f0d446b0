"""``skiptune init``."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import InputError
from .options import ColumnOption, read_columns, takes


@dataclass(frozen=True)
class InitOptions:
    """The command line of ``skiptune init``."""

    data: Annotated[
        Path, typer.Argument(help="A folder of data, or a file of rows beside its images.", show_default=False)
    ]
    output: Annotated[Path, typer.Option("--output", "-o", help="The recipe to write.")] = Path("recipe.yaml")
    task: Annotated[str | None, typer.Option(help="Instead of the task that the fields of the rows tell.")] = None
    column: ColumnOption = None
    model: Annotated[
        str | None, typer.Option(help="Embedded name, directory or hub id. vilt-scenes, for generation llava-scenes.")
    ] = None
    force: Annotated[bool, typer.Option("--force", help="Replace a recipe that is there.")] = False


@takes(InitOptions)
def init(options: InitOptions) -> None:
    """Look at a folder of data and write a commented recipe for it, ready for skiptune run.

    Says what it found: rows, bad rows, images, parts, answers, the task, and which budgets the model can meet. Nothing
    is trained.
    """
    from ..core.output_folders import write_new_text

    if options.output.exists() and not options.force:
        raise InputError(f"{options.output}: is there already; name another file, or replace it with --force")
    from ..starting.first_recipe import first_recipe
    from ..starting.look import look

    name = options.data.resolve().stem if options.data.is_file() else options.data.resolve().name
    layout = look(options.data, read_columns(options.column or ()))
    found = first_recipe(layout, options.model, options.task, f"runs/{name or 'first'}")
    write_new_text(options.output, found.text(options.output), options.force)
    for line in found.lines():
        typer.echo(line)
    recipe = _quoted(str(options.output))
    typer.echo(f"recipe: {options.output}\nnext: skiptune data check {recipe}\nthen: skiptune run {recipe}")


def _quoted(path: str) -> str:
    """A path as a shell takes it for one word."""
    return subprocess.list2cmdline([path]) if sys.platform == "win32" else shlex.quote(path)
