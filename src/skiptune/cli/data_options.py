"""Options of commands that read a file of records in any format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from ..core.errors import InputError
from .options import read_columns

DataImagesOption = Annotated[str | None, typer.Option("--images", help="Folder of the images.")]
AnnotationsOption = Annotated[str | None, typer.Option(help="VQAv2's file of answers, if they are known.")]
FormatOption = Annotated[
    str | None,
    typer.Option("--format", help="Format of the records: a data.name of recipes. By default the ending tells."),
]
SplitOption = Annotated[str | None, typer.Option(help="Which part, if the file has several.")]


class DataOptions(Protocol):
    """A command line with these options."""

    @property
    def images(self) -> str | None: ...
    @property
    def annotations(self) -> str | None: ...
    @property
    def split(self) -> str | None: ...
    @property
    def column(self) -> list[str] | None: ...
    @property
    def most_bad(self) -> float | None: ...


#: Formats by the ending of a file; JSON lines are the usual one.
_BY_ENDING = {".csv": "csv", ".tsv": "csv", ".arrow": "arrow", ".parquet": "dataset"}


def format_of(data: str, given: str | None) -> str:
    """The format of ``--data``: what ``--format`` says, or its ending."""
    if data == "easy-vqa":
        return data
    return given or _BY_ENDING.get(Path(data).suffix.lower(), "jsonl")


def data_fields(options: DataOptions) -> dict[str, Any]:
    """What a recipe's section ``data`` would say beside the format and the file."""
    found: dict[str, Any] = {"images": options.images, "annotations": options.annotations, "split": options.split}
    return {**found, "columns": read_columns(options.column or ()) or None, "most_bad": options.most_bad}


def require_images(options: DataOptions, name: str) -> None:
    """Refuse to read a format without the folder of images that it needs.

    Raises:
        InputError: there is none.
    """
    from ..data.readers.formats import SOURCES

    if options.images is None and name in SOURCES and "images" in SOURCES[name].needs:
        raise InputError("--images: the folder of the images is missing")
