"""The task and the processor saved beside a slim model."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedModel

from ..core.errors import InputError
from ..models.processors import read_processor
from ..tasks.registry import TASKS
from ..tasks.task import Task
from .hub import local_folder
from .manifest import CONFIG, read_manifest


def load_task(directory: str | Path, model: PreTrainedModel) -> Task:
    """The task a slim model was trained for, with the processor saved beside it.

    Texts are cut at the positions that the model has.

    Raises:
        InputError: it was exported without a task, or its files are edited or damaged.
    """
    folder = local_folder(directory)
    manifest = read_manifest(folder)
    saved = manifest.task
    if saved is None:
        raise InputError(f"{folder}: exported without a task; pass one to skiptune.export to ask it questions")
    manifest.check_files(folder)
    processor = read_processor(str(folder), manifest.family, manifest.config, str(folder))
    try:
        return TASKS[saved.name](processor, **saved.settings)
    except TypeError as error:
        raise InputError(f"{folder / CONFIG}: task: {error}; edited?") from None
