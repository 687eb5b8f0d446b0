"""The task and the processor saved beside a slim model."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedModel

from ..core.errors import InputError
from ..models.processors import read_processor
from ..tasks.registry import task_named
from ..tasks.task import Task
from .hub import local_folder
from .manifest import CONFIG, SavedTask, read_manifest
from .own_classes import given_class, make_task, path_of


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
    manifest = read_manifest(folder)
    saved = manifest.task
    if saved is None:
        raise InputError(f"{folder}: exported without a task; pass one to skiptune.export to ask it questions")
    manifest.check_files(folder)
    processor = read_processor(str(folder), manifest.family, manifest.config, str(folder))
    return make_task(_class_of(saved, task_class, folder), processor, saved.settings, f"{folder / CONFIG}: task")


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
