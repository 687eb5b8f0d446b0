"""Commands for trained models: ``skiptune evaluate``, ``predict`` and ``export``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..core.errors import InputError
from ..core.process import best_device
from .options import BackendOption, BaseOption, JsonOption, SlimArgument, choice, takes
from .quick_imports import import_transformers_quickly
from .recipe_runs import finished_run

Form = Literal["standalone", "adapters"]


@dataclass(frozen=True)
class EvaluateOptions:
    """The command line of ``skiptune evaluate``."""

    model: SlimArgument
    data: Annotated[str, typer.Option(help="A file or folder of records, or easy-vqa for its test part.")]
    images: Annotated[str | None, typer.Option(help="Folder of the images.")] = None
    data_format: Annotated[str, typer.Option("--format", help="Format of the file: a data.name of recipes.")] = "jsonl"
    annotations: Annotated[str | None, typer.Option(help="VQAv2's file of answers, if they are known.")] = None
    split: Annotated[str | None, typer.Option(help="Which part, if the file has several.")] = None
    predictions: Annotated[Path | None, typer.Option(help="Write every record with its answer to this file.")] = None
    submission: Annotated[Path | None, typer.Option(help="Write VQAv2's results file, for its server.")] = None
    all_pairs: Annotated[bool, typer.Option("--all-pairs", help="Retrieval: no shortlist by the encoders.")] = False
    batch_size: Annotated[int, typer.Option(min=1)] = 64
    base: BaseOption = None
    backend: BackendOption = None
    as_json: JsonOption = False


@takes(EvaluateOptions)
def evaluate(options: EvaluateOptions) -> None:
    """Measure a slim model on records with known answers, also ones it has never seen."""
    from ..data.parts import read_for_evaluation
    from ..data.readers.formats import SOURCES
    from ..exporting.backends import load_backend
    from ..exporting.load_task import load_task
    from ..running.run_data import report_bad_rows
    from ..tasks.evaluation import evaluate as measure
    from ..tasks.predictions import write_predictions, write_submission
    from ..tasks.retrieval import Retrieval, comparable

    name = "easy-vqa" if options.data == "easy-vqa" else options.data_format
    if options.images is None and name in SOURCES and "images" in SOURCES[name].needs:
        raise InputError("--images: the folder of the images is missing")
    folder = _slim_folder(options.model)
    slim = load_backend(folder, options.backend, options.base).to(best_device())
    places = {"images": options.images, "annotations": options.annotations, "split": options.split}
    records = read_for_evaluation(name, options.data, places)
    report_bad_rows({options.data: records.bad})
    task = load_task(folder, slim)
    if options.all_pairs:
        if not isinstance(task, Retrieval):
            raise InputError(f"--all-pairs: for retrieval; this is a model for {task.name}")
        task.shortlist = None
    found = measure(slim, task, records, options.batch_size)
    if options.predictions is not None:
        write_predictions(options.predictions, records, found)
    if options.submission is not None:
        write_submission(options.submission, records, found)
    summary = {**found.summary(), "bad_rows": len(records.bad), "bad_images": len(found.damaged)}
    if options.as_json:
        typer.echo(json.dumps(summary))
        return
    for metric, value in found.metrics.items():
        typer.echo(f"{metric} {value:.2%} on {found.count} {task.unit}")
    if isinstance(task, Retrieval) and task.shortlist is not None and comparable(slim):
        typer.echo(f"each ranked its {task.shortlist} nearest by the encoders; --all-pairs ranks all")
    if found.unknown:
        typer.echo(f"{found.unknown} of them have no answer the model could give; they count as wrong")


@dataclass(frozen=True)
class ExportOptions:
    """The command line of ``skiptune export``."""

    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a finished run.")]
    output: Annotated[Path, typer.Argument(help="Directory to write.")]
    form: Annotated[Form, choice(Form, help="standalone, or adapters (a few MB beside the base model).")] = "standalone"
    base: Annotated[str | None, typer.Option(help="The base's name or hub id, for --form adapters.")] = None
    push: Annotated[str | None, typer.Option(metavar="REPO_ID", help="Upload it to the hub as user/name.")] = None
    private: Annotated[bool, typer.Option("--private", help="With --push: make the repository private.")] = False
    onnx: Annotated[bool, typer.Option("--onnx", help="Write model.onnx instead; RUN may be a slim model.")] = False
    int8: Annotated[bool, typer.Option("--int8", help="As --onnx, and model-int8.onnx with 8-bit weights.")] = False


@takes(ExportOptions)
def export(options: ExportOptions) -> None:
    """Write the slim model of a run in either form, with a model card, or as ONNX; --push uploads it.

    An ONNX model is compared with torch's before it is kept. Where OUTPUT is the slim model's own directory, it comes
    beside the torch weights.
    """
    if options.push is not None:
        _check_hub_id(options.push)
    elif options.private:
        raise InputError("--private: only with --push")
    if options.onnx or options.int8:
        _export_onnx(options)
    else:
        _export_slim(options)
    if options.push is not None:
        from ..exporting.hub import push_to_hub

        typer.echo(push_to_hub(options.output, options.push, options.private or None))


def _check_hub_id(name: str) -> None:
    from ..exporting.hub import is_hub_id

    if not is_hub_id(name):
        raise InputError(f"--push: {name!r} is not the id of a repository; expected user/name")


def _export_slim(options: ExportOptions) -> None:
    runner = finished_run(options.run_folder)
    from ..exporting.export import export as write

    if not (options.run_folder / "trained.safetensors").is_file():
        raise InputError(f"{options.run_folder}: training is not finished; run its recipe first")
    model, plan, task = runner.trained()
    folder = write(model, options.output, plan, task, options.form, options.base, runner.measured().to_dict())
    size = sum(file.stat().st_size for file in folder.iterdir())
    typer.echo(f"{folder}: {size / 2**20:.1f} MiB")


def _export_onnx(options: ExportOptions) -> None:
    from ..exporting.onnx.write import export_onnx, onnx_lines

    if options.form != "standalone":
        raise InputError(f"--form {options.form}: an ONNX model holds all weights; leave it out")
    folder = _slim_folder(str(options.run_folder))
    for line in onnx_lines(export_onnx(folder, options.output, options.int8, options.base)):
        typer.echo(line)


@dataclass(frozen=True)
class PredictOptions:
    """The command line of ``skiptune predict``."""

    model: SlimArgument
    image: Annotated[Path, typer.Argument(help="An image file.")]
    question: Annotated[str, typer.Argument(help="A question, statement, hypothesis or caption about it.")]
    image2: Annotated[Path | None, typer.Option(help="The second image, for statements about two.")] = None
    top: Annotated[int, typer.Option(min=1, help="How many answers.")] = 5
    base: BaseOption = None
    backend: BackendOption = None
    as_json: JsonOption = False


@takes(PredictOptions)
def predict(options: PredictOptions) -> None:
    """Answer a question about an image, with probabilities; for retrieval, score a caption."""
    from ..data.pictures import image_problem

    for path in (options.image, options.image2):
        if path is not None and (problem := image_problem(path, open_it=True)):
            raise InputError(problem)
    import_transformers_quickly()
    from ..exporting.backends import load_backend
    from ..exporting.load_task import load_task
    from ..tasks.evaluation import predict as ask

    folder = _slim_folder(options.model)
    slim = load_backend(folder, options.backend, options.base).to(best_device())
    answers = ask(slim, load_task(folder, slim), options.image, options.question, options.top, options.image2)
    if options.as_json:
        typer.echo(json.dumps(answers))
        return
    for entry in answers:
        number = f"{entry['probability']:7.2%}" if "probability" in entry else f"{entry['score']:+.3f}"
        typer.echo(f"{number}  {entry['answer']}")


def _slim_folder(name: str) -> Path:
    """A slim model's directory; a run's directory stands for its slim model."""
    from ..exporting.hub import local_folder
    from ..exporting.manifest import is_slim

    folder = local_folder(name)
    for candidate in (folder, folder / "slim"):
        if is_slim(candidate):
            return candidate
    raise InputError(
        f"{name}: not a slim model and not a finished run" + ("" if folder.exists() else " (no such directory)")
    )
