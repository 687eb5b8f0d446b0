"""``skiptune data check``: the data doctor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import InputError, first_line
from ..core.output_folders import write_new_text
from ..data.readers.conversations.names import DIALECT_NAMES
from .options import ColumnOption, SetOption, read_columns, takes

if TYPE_CHECKING:
    from ..checking.report import DataReport
    from ..running.recipe import Recipe

#: Format → the task that all its rows are for.
_TASK_OF: Mapping[str, str] = {
    "easy-vqa": "vqa",
    "vqav2": "vqa",
    "nlvr2": "reasoning",
    "nlvr": "reasoning",
    "karpathy": "retrieval",
    "snli-ve": "entailment",
    "imagefolder": "classification",
    **dict.fromkeys(DIALECT_NAMES, "generation"),
}

app = typer.Typer(no_args_is_help=True, help="Look at data before anything learns from them.", rich_markup_mode="rich")


@app.callback()
def _group() -> None:
    """Look at data before anything learns from them."""


@dataclass(frozen=True)
class CheckOptions:
    """The command line of ``skiptune data check``."""

    source: Annotated[str, typer.Argument(help="A recipe, or a file or folder of data.")]
    data_format: Annotated[
        str | None, typer.Option("--format", help="Format of the data: a data.name of recipes; told by a look at them.")
    ] = None
    images: Annotated[str | None, typer.Option(help="Folder of the images.")] = None
    annotations: Annotated[str | None, typer.Option(help="VQAv2's file of answers.")] = None
    split: Annotated[str | None, typer.Option(help="Which part of the file is for training, if it has several.")] = None
    validation: Annotated[str | None, typer.Option(help="The file of the validation part.")] = None
    test: Annotated[str | None, typer.Option(help="The file of the test part.")] = None
    column: ColumnOption = None
    task: Annotated[str | None, typer.Option(help="Instead of the task that the fields of the rows tell.")] = None
    model: Annotated[
        str | None, typer.Option(help="Put the rows of a file through the processor of this model, as training would.")
    ] = None
    changes: SetOption = None
    rows: Annotated[
        int | None,
        typer.Option(min=1, help="Rows of a part to decode the images of and put through the processor (10000)."),
    ] = None
    show: Annotated[int, typer.Option(min=0, help="Show so many rows as the model sees them.")] = 10
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the report as JSON; - prints it alone."),
    ] = None
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report as a page with pictures.")] = None


@app.command()
@takes(CheckOptions)
def check(options: CheckOptions) -> None:
    """Look for what would spoil a training, and show rows as the model sees them.

    Reads all parts of a recipe as a run would, decodes the images, and puts the rows through the model's processor.
    Ends with 1 where it finds a fault, with 0 where there are none, or remarks only.
    """
    from ..checking.check import check_recipe
    from ..checking.examine import MOST_ROWS, Depth

    recipe, with_model, is_recipe = _recipe(options)
    report = check_recipe(recipe, Depth(options.rows or MOST_ROWS, options.show), with_model, is_recipe)
    _tell(report, options)
    if report.faults:
        raise typer.Exit(1)


def _tell(report: DataReport, options: CheckOptions) -> None:
    from rich.console import Console

    from ..checking.page import page
    from ..checking.printing import print_report

    if options.html is not None:
        write_new_text(options.html, page(report), force=True)
    if options.json_file is not None:
        text = json.dumps(report.to_dict(), indent=2)
        if str(options.json_file) == "-":
            typer.echo(text)
            return
        write_new_text(options.json_file, f"{text}\n", force=True)
    print_report(report, Console(markup=False, emoji=False, highlight=False, soft_wrap=True))


def _recipe(options: CheckOptions) -> tuple[Recipe, bool, bool]:
    """The recipe, or one for the data that are named; whether a model is named; and whether it is a recipe."""
    from ..running.packaged_recipes import packaged_recipes
    from ..running.recipe_reading import read_recipe, recipe_of_values

    is_recipe = options.source in packaged_recipes() or Path(options.source).suffix.lower() in (".yaml", ".yml")
    if is_recipe and options.data_format is None:
        given = {"--images": options.images, "--split": options.split, "--model": options.model, "--task": options.task}
        for name in (name for name, value in given.items() if value is not None):
            raise InputError(f"{name}: the recipe says it; change the recipe's field with --set")
        return read_recipe(options.source, options.changes or ()), True, True
    values = {**_data(options), "output": "nowhere"}
    if options.model is not None:
        values["model"] = options.model
    return recipe_of_values(values, options.source, options.changes or ()), options.model is not None, False


def _data(options: CheckOptions) -> dict[str, Any]:
    """The sections ``task`` and ``data`` of a recipe for the data that are named."""
    from ..starting.look import look

    if not Path(options.source).exists():
        raise InputError(f"{options.source}: no such recipe, file or folder")
    columns = read_columns(options.column or ())
    given = {
        "images": options.images,
        "annotations": options.annotations,
        "split": options.split,
        "validation": options.validation,
        "test": options.test,
    }
    data: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if options.data_format is not None:
        data |= {"name": options.data_format, "train": options.source, **({"columns": columns} if columns else {})}
        return {"data": data, "task": options.task or _TASK_OF.get(options.data_format) or _told_task(options, columns)}
    layout = look(Path(options.source), columns)
    return {"data": {**layout.data, **data}, "task": options.task or layout.task or _told_task(options, columns)}


def _told_task(options: CheckOptions, columns: dict[str, str]) -> str:
    """The task that the model is for, or that the rows' fields tell.

    Raises:
        InputError: neither tells one.
    """
    from ..models.loading import load_family
    from ..starting.look import look

    if options.model is not None and load_family(options.model).generates:
        return "generation"
    try:
        found, why = look(Path(options.source), columns).task, ""
    except InputError as error:
        found, why = None, f" ({first_line(error)})"
    if found is None:
        raise InputError(f"--task: nothing in {options.source} tells the task{why}; name it, e.g. --task generation")
    return found
