"""Examples to begin with: of the run that made a model, or of the easy-VQA questions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..core.errors import InputError
from ..data.pictures import decode
from ..data.readers.easy_vqa import read_easy_vqa
from ..data.temporary_folder import temporary_folder
from ..exporting.exported import read_exported
from ..reporting.results import Results
from .form import Form

_MOST = 4
_TEXT = 80  # characters
_EASY_VQA = "easy-vqa"
#: Rows of the test part of easy-VQA between one example and the next: other pictures and other kinds of questions.
_STEP = 1009


@dataclass(frozen=True)
class Example:
    """A picture with a question.

    Attributes:
        picture: a copy, as PNG: originals stay where nobody is given them.
        text: the question.
    """

    picture: Path
    text: str


def examples_of(form: Form) -> list[Example]:
    """Some examples for the models of a form; none where none are known, or two pictures are needed."""
    if form.pictures > 1:
        return []
    for model in form.models:
        found = list(islice(_copies(_pairs(model.folder)), _MOST))
        if found:
            return found
    return []


def _pairs(folder: Path) -> Iterator[tuple[Path, str]]:
    """Pictures and texts that a model was measured on."""
    results = folder.parent / "results.json"
    if results.is_file():
        for sample in Results.load(results).samples:
            yield Path(sample.image), sample.question
    exported = read_exported(folder)
    if exported.extra.get("data") == _EASY_VQA:
        records = read_easy_vqa("test").items
        yield from ((Path(str(record.image)), record.question) for record in records[::_STEP])


def _copies(pairs: Iterator[tuple[Path, str]]) -> Iterator[Example]:
    """Those that can be read, each picture once."""
    folder = temporary_folder(os.getpid()) / "examples"
    folder.mkdir(exist_ok=True)
    seen: set[Path] = set()
    for picture, text in pairs:
        if picture in seen or len(text) > _TEXT:
            continue
        seen.add(picture)
        copy = folder / f"{len(list(folder.iterdir()))}.png"
        try:
            decode(picture).save(copy)
        except InputError:  # moved, deleted or damaged since
            continue
        yield Example(copy, text)
