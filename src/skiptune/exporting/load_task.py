"""The task and the processor saved beside a slim model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from ..core.errors import InputError
from ..families.family import Family
from ..models.chat_processors import read_chat_processor
from ..models.processors import read_processor
from ..tasks.registry import task_named
from ..tasks.task import Task
from .hub import local_folder
from .manifest import CONFIG, SavedTask, read_manifest
from .own_classes import given_class, make_task, path_of
from .plain.load import plain_task
from .plain.record import RECORD, is_plain


def load_task(directory: str | Path, model: PreTrainedModel, task_class: type[Task] | None = None) -> Task:
    """The task a slim model was trained for, with the processor saved beside it.

    Texts are cut at the positions that the model has.

    Args:
        directory: a slim directory, or a hub id.
        model: that it holds.
        task_class: the class of the task, where it is one of your own: the directory only names it.

    Raises:
        InputError: it was exported without a task, with one of another class, or its files are edited or damaged.
    """
    folder = local_folder(directory)
    saved, family, config = plain_task(folder) if is_plain(folder) else _slim_task(folder)
    if saved is None:
        raise InputError(f"{folder}: exported without a task; pass one to skiptune.export to ask it questions")
    read = read_chat_processor if family.generates else read_processor
    processor = read(str(folder), family, config, str(folder))
    subject = f"{folder / (RECORD if is_plain(folder) else CONFIG)}: task"
    return make_task(_class_of(saved, task_class, folder), processor, saved.settings, subject)


def _slim_task(folder: Path) -> tuple[SavedTask | None, Family, Any]:
    """The task saved in a slim directory, the family of its model and its configuration."""
    manifest = read_manifest(folder)
    manifest.check_files(folder)
    return manifest.task, manifest.family, manifest.config


def _class_of(saved: SavedTask, given: type[Task] | None, folder: Path) -> type[Task]:
    """The class of a saved task."""
    path = saved.own_class or path_of(task_named(saved.name))
    if given is not None:
        return given_class(given, Task, path.rpartition(".")[2], path, "task_class")
    if saved.own_class is None:
        return task_named(saved.name)
    name = path.rpartition(".")[2]
    raise InputError(
        f"{folder}: its task is of a class of its own, {path}; import it and give it: "
        f"skiptune.load_task(directory, model, task_class={name})"
    )
