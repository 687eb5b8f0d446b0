"""What is asked: one picture and one text, many of both, or one for all of the others, as records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import IOBase
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from PIL import Image
from torch import Tensor

from ..core.errors import InputError
from ..core.shown import shown
from ..data.arrays import axes_of, is_array
from ..data.record import Record
from ..tasks.task import Task

#: A picture: its path, its encoded bytes, an open file of them, a Pillow image, or an array of its pixels; or a whole
#: record in its place, which has texts of its own, e.g. a conversation.
Asked: TypeAlias = str | Path | bytes | bytearray | memoryview | BinaryIO | Image.Image | np.ndarray | Tensor | Record
#: One picture, or several; an array of four axes holds several, too. For a model that writes text, each of several may
#: be a list of pictures that one text is about.
Pictures: TypeAlias = Asked | Sequence[Asked]
#: One text, or several.
Texts: TypeAlias = str | Sequence[str]


@dataclass(frozen=True)
class Questions:
    """Questions in the order in which they were asked.

    Attributes:
        asked: records, or, in the place of one that cannot be asked, why.
        single: whether it is one question that was not in a list.
    """

    asked: list[Record | InputError]
    single: bool

    @classmethod
    def of(cls, task: Task, image: Pictures | None, text: Texts | None, image2: Pictures | None) -> Questions:
        """Questions to a task; what is given once goes with each of the others.

        Raises:
            InputError: several pictures and several texts, but not as many.
        """
        columns = {"image": pictures_of(image), "text": texts_of(text), "image2": pictures_of(image2)}
        several = {name: column for name, column in columns.items() if isinstance(column, list)}
        counts = {name: len(column) for name, column in several.items()}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{count} × {name}" for name, count in counts.items())
            raise InputError(f"{listed}; give as many of each, or one, not in a list, for all of the others")
        number = next(iter(counts.values()), 1)
        rows = ({name: _entry(column, row) for name, column in columns.items()} for row in range(number))
        asked = [_numbered(_record(task, **row), str(place)) for place, row in enumerate(rows)]
        return cls(asked, not several)


def pictures_of(value: Any) -> Any:
    """One picture as it is, or a list of several."""
    if is_array(value):
        return list(value) if axes_of(value) > 3 else value
    return _one_or_list(value, (str, bytes, bytearray, memoryview, IOBase, Mapping, Path, Image.Image))


def texts_of(value: Any) -> Any:
    """One text as it is, or a list of several."""
    return _one_or_list(value, (str, bytes, Mapping))


def _one_or_list(value: Any, one: tuple[type, ...]) -> Any:
    return list(value) if isinstance(value, Iterable) and not isinstance(value, one) else value


def _entry(column: Any, row: int) -> Any:
    return column[row] if isinstance(column, list) else column


def _numbered(asked: Record | InputError, place: str) -> Record | InputError:
    """A question with its place as ``id``, if it has no other: what is drawn for it depends on that."""
    return replace(asked, id=place) if isinstance(asked, Record) and not asked.id else asked


def _record(task: Task, image: Any, text: Any, image2: Any) -> Record | InputError:
    """The record of one question, or why it is none."""
    try:
        if isinstance(image, Record):
            if text is not None or image2 is not None:
                raise InputError("text, image2: a record has its own; leave them out")
            task.check([image])
            return image
        if not task.needs_image:
            return _of_any_number(image, text, image2)
        if text is None and task.needs_text:
            raise InputError("text: there is none; this model is asked about a picture with a text")
        if isinstance(text, str) and not text.strip() and task.needs_text:
            raise InputError("the question is empty")
        if image2 is None and task.number == 2:
            raise InputError("image2: this model is about two images; give the second one")
        if image2 is not None and task.number == 1:
            raise InputError("image2: this model is about one image; leave it out")
        if image is None:
            raise InputError("image: None is no image; give a path, encoded bytes, a Pillow image or an array")
        return Record(image, "" if text is None else text, image2=image2)
    except InputError as error:
        return error


def _of_any_number(image: Any, text: Any, image2: Any) -> Record:
    """A question about one picture, several or none.

    Raises:
        InputError: there is neither a picture nor a text.
    """
    given = [entry for entry in (image, image2) if entry is not None]
    pictures = [each for entry in given for each in (entry if isinstance(entry, list | tuple) else (entry,))]
    first, *further = pictures or [None]
    if first is None and not (isinstance(text, str) and text.strip()):
        raise InputError("text: there is none, and no picture; give a question, a picture or both")
    return Record(first, "" if text is None else text, further=tuple(further))


def check_number(name: str, value: object, what: str) -> None:
    """Refuse what is no whole number of at least 1.

    Raises:
        InputError: names the argument.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{name}: {shown(value)}; expected {what}, at least 1")
