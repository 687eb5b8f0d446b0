"""``skiptune predict --data``: answer all records of a file, or one question about every picture of a folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..core.errors import InputError
from ..core.formatting import counted
from ..core.progress import console
from .opened_data import opened
from .options import on_cluster
from .predict_on_nodes import predict_on_nodes
from .quick_imports import import_transformers_quickly

if TYPE_CHECKING:
    from ..predicting.files.answer_output import AnswerFile
    from .predict_command import PredictOptions


def predict_data(options: PredictOptions) -> None:
    """Answer into a file, and say how many there are and what went wrong.

    Raises:
        InputError: as :meth:`skiptune.Pipeline.predict_file`, or options that do not go together.
    """
    output = _checked(options)
    options = _found_anywhere(options)
    import_transformers_quickly()
    from ..predicting.files.answer_output import AnswerOutput
    from ..predicting.files.predict_file import predict_file

    target = AnswerOutput(output, options.most_bad, options.force)
    with on_cluster(options.ray) as cluster:
        given = opened(options)
        if cluster is None:
            found = predict_file(given.pipe.model, given.pipe.task, given.asked, target, given.asking, given.preparing)
        else:
            found = predict_on_nodes(cluster, options, given.job(), target)
    _tell(found, options.as_json)


def _checked(options: PredictOptions) -> Path:
    """The output of a command line on which nothing is too much."""
    from ..tasks.predictions import check_outputs

    if given := options.for_one():
        raise InputError(f"{', '.join(given)}: with --data, the questions are those of the file or of --question")
    if options.output is None:
        raise InputError("--output: missing; name a file that ends in .jsonl, .csv or .parquet")
    if not options.data:
        raise InputError("--data: empty; name a file of records or a folder of pictures")
    if options.of_pictures:
        if given := options.for_files():
            raise InputError(f"{', '.join(given)}: for a file of records; {options.data} is a folder of pictures")
    elif options.asked is not None:
        raise InputError(f"--question: for a folder of pictures without --format; {options.data} has its own texts")
    check_outputs({"--output": options.output}, {"--data": options.data, "--annotations": options.annotations})
    return options.output


def _found_anywhere(options: PredictOptions) -> PredictOptions:
    """The options with absolute paths; names of models and sets stay.

    Errors of rows name files, and so do not depend on the working directory, nor on the machine of a cluster.
    """

    def absolute(text: str | None) -> str | None:
        return str(Path(text).absolute()) if text and Path(text).exists() else text

    return replace(
        options,
        model=absolute(options.model) or options.model,
        data=absolute(options.data),
        images=absolute(options.images),
        annotations=absolute(options.annotations),
        base=absolute(options.base),
    )


def _tell(found: AnswerFile, as_json: bool) -> None:
    for problem in found.problems:
        console.print(f"  {problem}")
    if found.errors > len(found.problems):
        console.print(f"  … and {found.errors - len(found.problems):,} more; the column error of the file names all")
    if as_json:
        typer.echo(json.dumps({"output": str(found.path), "rows": found.rows, "errors": found.errors}))
        return
    bad = f", {found.errors:,} of them with an error instead of an answer" if found.errors else ""
    typer.echo(f"{found.path}: {counted(found.rows, 'rows')}{bad}")
