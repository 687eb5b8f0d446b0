"""``skiptune predict``: ask a trained model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import InputError
from ..core.process import best_device
from ..core.validation import LARGEST_BATCH
from ..exporting.slim_folder import slim_folder
from .data_options import AnnotationsOption, DataImagesOption, FormatOption, SplitOption
from .options import BackendOption, BaseOption, ColumnOption, JsonOption, RayOption, SlimArgument, takes
from .predict_data import predict_data
from .predict_in_writing import answer_in_writing
from .predicted_answers import answer_rows, number_before, print_answers
from .quick_imports import import_transformers_quickly

if TYPE_CHECKING:
    from ..predicting.results import Prediction, Ranked

#: Endings of the files that are taken from a folder of pictures.
_ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff")
_ANSWERS = 5


@dataclass(frozen=True)
class PredictOptions:
    """The command line of ``skiptune predict``."""

    model: SlimArgument
    image: Annotated[Path | None, typer.Argument(help="An image file, or a folder of them.")] = None
    question: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT...", help="Questions, statements, hypotheses or captions, each in quotes."),
    ] = None
    image2: Annotated[
        list[Path] | None,
        typer.Option(help="The second image, for statements about two. A model that writes takes more: repeat it."),
    ] = None
    text: Annotated[list[str] | None, typer.Option(help="A question without an image. May be repeated.")] = None
    conversation: Annotated[Path | None, typer.Option(help="A JSON file of messages, and perhaps images.")] = None
    option: Annotated[list[str] | None, typer.Option(help="An answer to choose. Repeat it for each.")] = None
    temperature: Annotated[float | None, typer.Option(help="Draw words by softmax(logits / temperature).")] = None
    top_p: Annotated[float | None, typer.Option(help="Draw among the likeliest words with this probability.")] = None
    top_k: Annotated[int | None, typer.Option(help="Draw among this many likeliest words.")] = None
    seed: Annotated[int | None, typer.Option(help="Of what is drawn (0).")] = None
    max_new_tokens: Annotated[int | None, typer.Option(help="Tokens of an answer at most, not the task's.")] = None
    stop: Annotated[list[str] | None, typer.Option(help="A text at which an answer ends. May be repeated.")] = None
    top: Annotated[
        int | None, typer.Option(min=1, help="How many answers (5; 1 with --data), or places of a ranking (all).")
    ] = None
    data: Annotated[
        str | None, typer.Option(help="Answer many: a file of records, a folder of pictures, or easy-vqa.")
    ] = None
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="With --data: the file, .jsonl, .csv or .parquet.")
    ] = None
    asked: Annotated[
        str | None, typer.Option("--question", help="With --data: the text for each picture of a folder.")
    ] = None
    data_format: FormatOption = None
    images: DataImagesOption = None
    annotations: AnnotationsOption = None
    split: SplitOption = None
    column: ColumnOption = None
    most_bad: Annotated[float | None, typer.Option(help="Share of rows with an error above which to stop (1).")] = None
    batch_size: Annotated[
        int | None, typer.Option(min=1, max=LARGEST_BATCH, help="With --data: rows that the model gets at a time (32).")
    ] = None
    workers: Annotated[
        int | None, typer.Option(min=0, help="With --data: threads that read pictures while the model computes (1).")
    ] = None
    ray: RayOption = None
    force: Annotated[bool, typer.Option("--force", help="With --data: begin anew, whatever is there.")] = False
    base: BaseOption = None
    backend: BackendOption = None
    as_json: JsonOption = False

    @property
    def decoding(self) -> dict[str, Any]:
        """How answers are written, as far as it is said."""
        names = ("temperature", "top_p", "top_k", "seed", "max_new_tokens")
        return {**{name: getattr(self, name) for name in names}, "stop": tuple(self.stop) if self.stop else None}

    def for_data(self) -> list[str]:
        """The options that are given and of use with ``--data`` alone."""
        given: dict[str, object] = {
            "output": self.output,
            "question": self.asked,
            "format": self.data_format,
            "images": self.images,
            "annotations": self.annotations,
            "split": self.split,
            "column": self.column,
            "most-bad": self.most_bad,
            "batch-size": self.batch_size,
            "workers": self.workers,
            "force": self.force or None,
            "ray": self.ray,
        }
        return [f"--{name}" for name, value in given.items() if value is not None]

    def for_files(self) -> list[str]:
        """What is given to read a file of records."""
        given: dict[str, object] = {
            "--images": self.images,
            "--annotations": self.annotations,
            "--split": self.split,
            "--column": self.column,
        }
        return [name for name, value in given.items() if value]

    @property
    def of_pictures(self) -> bool:
        """Whether the data are pictures in a folder, which have no format."""
        return bool(self.data) and self.data_format is None and Path(str(self.data)).is_dir()

    def for_one(self) -> list[str]:
        """What is given to ask a single question, or a few."""
        given: dict[str, object] = {
            "IMAGE": self.image,
            "TEXT": self.question,
            "--image2": self.image2,
            "--text": self.text,
            "--conversation": self.conversation,
            "--option": self.option,
        }
        return [name for name, value in given.items() if value]

    def for_writing(self) -> list[str]:
        """The options that are given and of use to models that write alone."""
        given = {**self.decoding, "text": self.text, "conversation": self.conversation, "option": self.option}
        return [f"--{name.replace('_', '-')}" for name, value in given.items() if value is not None]


@takes(PredictOptions)
def predict(options: PredictOptions) -> None:
    """Answer questions about an image, or one about each image of a folder, with probabilities.

    A model for retrieval scores a caption, and ranks several captions or the images of a folder. A model that writes
    also takes several images for a question, questions without one, conversations, and options to choose from.

    With --data and --output, answer all records of a file, or one question about each picture of a folder and below,
    into a file. The same command goes on after a stop.
    """
    if options.data is not None:
        predict_data(options)
        return
    if given := options.for_data():
        raise InputError(f"{', '.join(given)}: only with --data FILE or --data FOLDER")
    if options.image is None and not options.text and options.conversation is None:
        raise InputError("there is nothing to ask: give an image, --text, --conversation or --data")
    pictures = None if options.image is None else _pictures(options.image)
    _check_files(options)
    texts = options.question or []
    if len(texts) > 1 and pictures is not None:
        raise InputError(f"{options.image}: with a folder of images, give one text")
    import_transformers_quickly()
    from ..exporting.backends import load_backend
    from ..exporting.load_task import load_task
    from ..predicting.predict import predict as ask
    from ..predicting.rank import rank
    from ..tasks.generation.task import Generation
    from ..tasks.retrieval import Retrieval

    folder = slim_folder(options.model)
    slim = load_backend(folder, options.backend, options.base).to(best_device())
    task = load_task(folder, slim)
    if isinstance(task, Generation):
        answer_in_writing(slim, task, options, pictures)
        return
    _refuse_writing(options, task.name)
    text: Any = texts if len(texts) > 1 else next(iter(texts), None)
    image: Any = options.image if pictures is None else pictures
    several = pictures is not None or len(texts) > 1
    if several and isinstance(task, Retrieval):
        _print_ranking(rank(slim, task, image, text, options.top), options.as_json)
        return
    second = next(iter(options.image2 or ()), None)
    found: Any = ask(slim, task, image, text, options.top or _ANSWERS, second)
    if several:
        _print_all(found, pictures or [image] * len(found), texts, options.as_json)
    else:
        _print_one(found, options.as_json)


def _refuse_writing(options: PredictOptions, task: str) -> None:
    """Refuse what only models that write take.

    Raises:
        InputError: names the options.
    """
    if given := options.for_writing():
        raise InputError(f"{', '.join(given)}: for models that write; this is a model for {task}")
    if len(options.image2 or ()) > 1:
        raise InputError(f"--image2: {len(options.image2 or ())} given; this model is about two images at most")
    if options.image is None:
        raise InputError("image: there is none to ask about")


def _pictures(path: Path) -> list[Path] | None:
    """The pictures in a folder, by name; ``None``: it is none.

    Raises:
        InputError: there are none in it.
    """
    if not path.is_dir():
        return None
    found = sorted(entry for entry in path.iterdir() if entry.suffix.lower() in _ENDINGS)
    if not found:
        raise InputError(f"image {path}: no images in this folder ({', '.join(_ENDINGS)})")
    return found


def _check_files(options: PredictOptions) -> None:
    """Refuse single files that are no pictures, before anything is loaded."""
    from ..data.pictures import image_problem

    first = [options.image] if options.image is not None and not options.image.is_dir() else []
    for path in (*first, *(options.image2 or ())):
        if problem := image_problem(path, open_it=True):
            raise InputError(problem)


def _print_one(found: Prediction, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found.to_dict()["answers"]))
    else:
        print_answers(found)


def _print_all(found: Sequence[Prediction], pictures: Sequence[Path], texts: Sequence[str], as_json: bool) -> None:
    """Each question with its answers."""
    asked = list(texts) if len(texts) > 1 else [*texts, *[""][len(texts) :]] * len(found)
    if as_json:
        typer.echo(json.dumps(answer_rows(zip(pictures, asked, found, strict=True))))
        return
    for image, text, each in zip(pictures, asked, found, strict=True):
        typer.echo(f"{image}  {text}".rstrip())
        print_answers(each)


def _print_ranking(found: Sequence[Ranked], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([entry.to_dict() for entry in found]))
        return
    for entry in found:
        what = f"error: {entry.error}" if entry.score is None else f"{number_before(None, entry.score)}{entry.item}"
        typer.echo(what)
