"""``skiptune predict --data``: answer all records of a file, or one question about every picture of a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..core.errors import InputError
from ..core.formatting import counted
from ..core.progress import busy, console
from .data_options import data_fields, require_images
from .quick_imports import import_transformers_quickly

if TYPE_CHECKING:
    from ..predicting.answer_output import AnswerFile
    from ..predicting.asked_rows import AskedRows
    from ..tasks.task import Task
    from .predict_command import PredictOptions

#: Formats by the ending of a file; JSON lines are the usual one.
_BY_ENDING = {".csv": "csv", ".tsv": "csv", ".arrow": "arrow"}


def predict_data(options: PredictOptions) -> None:
    """Answer into a file, and say how many there are and what went wrong.

    Raises:
        InputError: as :meth:`skiptune.Pipeline.predict_file`, or options that do not go together.
    """
    output = _checked(options)
    import_transformers_quickly()
    from ..exporting.open_pipeline import pipeline
    from ..predicting.answer_output import AnswerOutput
    from ..predicting.asking import Asking, Preparing
    from ..predicting.predict_file import predict_file
    from ..tasks.generation.task import Generation

    target = AnswerOutput(output, options.most_bad, options.force)
    pipe = pipeline(options.model, backend=options.backend, base=options.base)
    writes = isinstance(pipe.task, Generation)
    if writes:
        pipe = pipe.with_decoding(**options.decoding)
    elif given := options.for_writing():
        raise InputError(f"{', '.join(given)}: for models that write; this is a model for {pipe.task.name}")
    asked = asked_rows(options, pipe.task)
    asking = Asking.usual(options.top or 1, options.batch_size, writes)
    _tell(predict_file(pipe.model, pipe.task, asked, target, asking, Preparing(options.workers)), options.as_json)


@busy("reading")
def asked_rows(options: PredictOptions, task: Task) -> AskedRows:
    """The rows to answer.

    Args:
        options: of the command, with ``data``.
        task: of the model.

    Raises:
        InputError: they cannot be read, or none is a record of the task.
    """
    from ..data.parts import read_for_evaluation
    from ..predicting.asked_rows import AskedRows
    from ..predicting.pictures_alone import pictures_alone

    data = str(options.data)
    if options.data_format is None and Path(data).is_dir():
        return AskedRows(pictures_alone(Path(data), options.asked or "", task), Path(data))
    if options.asked is not None:
        raise InputError(f"--question: for a folder of pictures; {data} has texts of its own")
    name = "easy-vqa" if data == "easy-vqa" else options.data_format or _BY_ENDING.get(Path(data).suffix, "jsonl")
    require_images(options, name)
    fields = {**data_fields(options), "most_bad": 1.0 if options.most_bad is None else options.most_bad}
    found = read_for_evaluation(name, data, fields, task.asked_row_checks(), asked=True)
    return AskedRows(found, Path(options.images or data))


def _checked(options: PredictOptions) -> Path:
    """The output of a command line on which nothing is too much."""
    from ..tasks.predictions import check_outputs

    if given := options.for_one():
        raise InputError(f"{', '.join(given)}: with --data, the questions are those of the file or of --question")
    if options.output is None:
        raise InputError("--output: missing; name a file that ends in .jsonl, .csv or .parquet")
    check_outputs({"--output": options.output}, {"--data": options.data, "--annotations": options.annotations})
    return options.output


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
