"""The pictures of a folder, each with one and the same text."""

from __future__ import annotations

from pathlib import Path

from ...core.errors import InputError
from ...data.readers.image_folder import images_in
from ...data.record import Record
from ...data.records import Records
from ...tasks.task import Task


def pictures_alone(folder: Path, text: str, task: Task) -> Records:
    """A record for every picture in a folder and below, by name; the name is its ``id``.

    Args:
        folder: with the pictures.
        text: a question, statement, hypothesis or caption; empty: none.
        task: of the model that is asked.

    Raises:
        InputError: there are none, or the task needs a text or two pictures.
    """
    if task.number > 1:
        raise InputError(f"{folder}: this model is about {task.number} images at a time; give a file that names them")
    if task.needs_text and not text.strip():
        raise InputError("--question: missing; this model is asked about a picture with a text")
    found = Records.of(
        (Record(path, text, id=path.relative_to(folder).as_posix()) for path in images_in(folder)), str(folder)
    )
    if not len(found):
        raise InputError(f"{folder}: no images in this folder, and none below it")
    return found
