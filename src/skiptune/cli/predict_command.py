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
from ..exporting.slim_folder import slim_folder
from .options import BackendOption, BaseOption, JsonOption, SlimArgument, takes
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
    image: Annotated[Path, typer.Argument(help="An image file, or a folder of them.")]
    question: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT...", help="Questions, statements, hypotheses or captions, each in quotes."),
    ] = None
    image2: Annotated[Path | None, typer.Option(help="The second image, for statements about two.")] = None
    top: Annotated[int | None, typer.Option(min=1, help="How many answers (5), or places of a ranking (all).")] = None
    base: BaseOption = None
    backend: BackendOption = None
    as_json: JsonOption = False


@takes(PredictOptions)
def predict(options: PredictOptions) -> None:
    """Answer questions about an image, or one about each image of a folder, with probabilities.

    A model for retrieval scores a caption, and ranks several captions or the images of a folder.
    """
    pictures = _pictures(options.image)
    _check_files(options)
    texts = options.question or []
    if len(texts) > 1 and pictures is not None:
        raise InputError(f"{options.image}: with a folder of images, give one text")
    import_transformers_quickly()
    from ..exporting.backends import load_backend
    from ..exporting.load_task import load_task
    from ..predicting.predict import predict as ask
    from ..predicting.rank import rank
    from ..tasks.retrieval import Retrieval

    folder = slim_folder(options.model)
    slim = load_backend(folder, options.backend, options.base).to(best_device())
    task = load_task(folder, slim)
    text: Any = texts if len(texts) > 1 else next(iter(texts), None)
    image: Any = options.image if pictures is None else pictures
    several = pictures is not None or len(texts) > 1
    if several and isinstance(task, Retrieval):
        _print_ranking(rank(slim, task, image, text, options.top), options.as_json)
        return
    found: Any = ask(slim, task, image, text, options.top or _ANSWERS, options.image2)
    if several:
        _print_all(found, pictures or [options.image] * len(found), texts, options.as_json)
    else:
        _print_one(found, options.as_json)


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

    first = [] if options.image.is_dir() else [options.image]
    for path in (*first, *([options.image2] if options.image2 else [])):
        if problem := image_problem(path, open_it=True):
            raise InputError(problem)


def _print_one(found: Prediction, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found.to_dict()["answers"]))
    else:
        _print_answers(found)


def _print_all(found: Sequence[Prediction], pictures: Sequence[Path], texts: Sequence[str], as_json: bool) -> None:
    """Each question with its answers."""
    asked = list(texts) if len(texts) > 1 else [*texts, *[""][len(texts) :]] * len(found)
    if as_json:
        rows = zip(pictures, asked, found, strict=True)
        typer.echo(json.dumps([{"image": str(image), "text": text, **each.to_dict()} for image, text, each in rows]))
        return
    for image, text, each in zip(pictures, asked, found, strict=True):
        typer.echo(f"{image}  {text}".rstrip())
        _print_answers(each)


def _print_answers(found: Prediction) -> None:
    if found.error is not None:
        typer.echo(f"  error: {found.error}")
    for entry in found:
        typer.echo(f"{_number(entry.probability, entry.score)}{entry.answer}")


def _print_ranking(found: Sequence[Ranked], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([entry.to_dict() for entry in found]))
        return
    for entry in found:
        what = f"error: {entry.error}" if entry.score is None else f"{_number(None, entry.score)}{entry.item}"
        typer.echo(what)


def _number(probability: float | None, score: float | None) -> str:
    """A probability or score with the space after it; of an answer that is a number itself, nothing."""
    if probability is not None:
        return f"{probability:7.2%}  "
    return "" if score is None else f"{score:+.3f}  "
