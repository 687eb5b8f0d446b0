"""The task and the processor saved beside a slim model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from ..core.errors import InputError, first_line
from ..families.family import Family
from ..families.registry import family_of
from ..tasks.registry import TASKS
from ..tasks.task import Task
from .hub import local_folder
from .manifest import CONFIG, read_manifest


def load_task(directory: str | Path, model: PreTrainedModel) -> Task:
    """The task a slim model was trained for, with the processor saved beside it.

    Raises:
        InputError: it was exported without a task, or its files are edited or damaged.
    """
    folder = local_folder(directory)
    manifest = read_manifest(folder)
    saved = manifest.task
    if saved is None:
        raise InputError(f"{folder}: exported without a task; pass one to skiptune.export to ask it questions")
    manifest.check_files(folder)
    processor = load_saved_processor(folder, family_of(model))
    try:
        return TASKS[saved.name](processor, **saved.settings)
    except TypeError as error:
        raise InputError(f"{folder / CONFIG}: task: {error}; edited?") from None


def load_saved_processor(folder: Path, family: Family) -> Any:
    """The processor in a slim directory; the files are the usual ones of transformers."""
    from transformers import AutoTokenizer

    processor, images = family.processor_classes
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, config=family.config_class())
        return processor(images.from_pretrained(folder), tokenizer)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: no processor saved beside the slim model ({first_line(error)})") from None
