"""``skiptune evaluate``: measure a trained model on a file of records."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import InputError
from ..core.process import best_device
from ..core.validation import LARGEST_BATCH
from ..exporting.slim_folder import slim_folder
from .data_options import (
    AnnotationsOption,
    DataImagesOption,
    FormatOption,
    SplitOption,
    data_fields,
    format_of,
    require_images,
)
from .options import BackendOption, BaseOption, ColumnOption, JsonOption, SlimArgument, takes

if TYPE_CHECKING:
    from ..data.records import Records
    from ..tasks.evaluation_result import Evaluation, Summary
    from ..tasks.task import Task


@dataclass(frozen=True)
class EvaluateOptions:
    """The command line of ``skiptune evaluate``."""

    model: SlimArgument
    data: Annotated[str, typer.Option(help="A file or folder of records, or easy-vqa for its test part.")]
    images: DataImagesOption = None
    data_format: FormatOption = None
    annotations: AnnotationsOption = None
    split: SplitOption = None
    column: ColumnOption = None
    most_bad: Annotated[
        float | None, typer.Option(help="Share of bad rows, and of unreadable images, above which to stop.")
    ] = None
    predictions: Annotated[Path | None, typer.Option(help="Write every record with its answer to this file.")] = None
    submission: Annotated[Path | None, typer.Option(help="Write VQAv2's results file, for its server.")] = None
    measure: Annotated[
        str | None, typer.Option(help="Models that write: another measure than the task's, e.g. anls or choice.")
    ] = None
    max_new_tokens: Annotated[int | None, typer.Option(help="Models that write: tokens of an answer at most.")] = None
    all_pairs: Annotated[bool, typer.Option("--all-pairs", help="Retrieval: no shortlist by the encoders.")] = False
    batch_size: Annotated[int, typer.Option(min=1, max=LARGEST_BATCH)] = 64
    base: BaseOption = None
    backend: BackendOption = None
    as_json: JsonOption = False

    @property
    def name(self) -> str:
        """The format, or the embedded set."""
        return format_of(self.data, self.data_format)


@takes(EvaluateOptions)
def evaluate(options: EvaluateOptions) -> None:
    """Measure a slim model on records with known answers, also ones it has never seen.

    Records whose answers are not known are predicted, not measured.
    """
    from ..data.parts import read_for_evaluation
    from ..exporting.backends import load_backend
    from ..exporting.load_task import load_task
    from ..running.run_data import report_bad_rows, report_seen
    from ..tasks.evaluation import evaluate as measure
    from ..tasks.fitting_records import fitting_records
    from ..tasks.predictions import check_outputs, check_submission, write_predictions, write_submission

    fields = data_fields(options)
    require_images(options, options.name)
    check_outputs(
        {"--predictions": options.predictions, "--submission": options.submission},
        {"--data": options.data, "--annotations": options.annotations},
    )
    folder = slim_folder(options.model)
    slim = load_backend(folder, options.backend, options.base).to(best_device())
    task = load_task(folder, slim)
    task = _checked_task(options, task)
    records = read_for_evaluation(options.name, options.data, fields, task.own_row_checks())
    records = fitting_records(records, Path(options.data).name, task, options.most_bad)
    report_bad_rows({options.data: records.bad}, {options.data: records.unlabelled})
    if options.submission is not None:
        check_submission(records)
    found = measure(slim, task, records, options.batch_size, most_bad=options.most_bad)
    report_seen(Path(options.data), folder)
    if options.predictions is not None:
        write_predictions(options.predictions, records, found, Path(options.images or options.data))
    if options.submission is not None:
        write_submission(options.submission, records, found)
    if options.as_json:
        typer.echo(json.dumps(_summary(records, found)))
    else:
        _print(found, task, slim)


def _checked_task(options: EvaluateOptions, task: Task) -> Task:
    """The task, with the options that are for it; those for another are refused."""
    from ..tasks.generation.task import Generation
    from ..tasks.retrieval import Retrieval

    if options.submission is not None and task.name not in ("vqa", "generation"):
        raise InputError(f"--submission: for question answering; this is a model for {task.name}")
    given = {"measure": options.measure, "max_new_tokens": options.max_new_tokens}
    changes = {name: value for name, value in given.items() if value is not None}
    if changes:
        if not isinstance(task, Generation):
            listed = ", ".join(f"--{name.replace('_', '-')}" for name in changes)
            raise InputError(f"{listed}: for models that write; this is a model for {task.name}")
        task = task.with_settings(**changes)
    if options.all_pairs:
        if not isinstance(task, Retrieval):
            raise InputError(f"--all-pairs: for retrieval; this is a model for {task.name}")
        task.shortlist = None
    return task


def _summary(records: Records, found: Evaluation) -> Summary:
    counts = {"bad_rows": len(records.bad), "unlabelled": records.unlabelled, "bad_images": len(found.damaged)}
    return {**found.summary(), **counts}


def _print(found: Evaluation, task: Task, model: Any) -> None:
    from ..core.measured_text import cut_answers, error_value, quality, share
    from ..core.measurements import Measured
    from ..tasks.retrieval import Retrieval, comparable

    measured = Measured.from_dict(found.summary())
    for metric, value in found.metrics.items():
        told = quality(measured, metric) if metric == task.metric else share(value)
        typer.echo(f"{metric} {told} on {found.count} {task.unit}")
    for error, value in found.errors.items():
        typer.echo(f"{error} {error_value(error, value)}")
    if cut := cut_answers(measured):
        typer.echo(cut)
    if isinstance(task, Retrieval) and task.shortlist is not None and comparable(model):
        typer.echo(f"each ranked its {task.shortlist} nearest by the encoders; --all-pairs ranks all")
    if found.unknown:
        typer.echo(f"{found.unknown} of them have no answer the model could give; they count as wrong")
    if found.unanswered:
        of_them = f"{found.unanswered} {task.unit}: answers not known"
        typer.echo(f"{of_them}: nothing measured" if not found.count else f"{of_them}; they are not measured")
