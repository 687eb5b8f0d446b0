"""The tokenizer and image processor beside a plain checkpoint."""

from __future__ import annotations

import shutil
from pathlib import Path

from huggingface_hub import snapshot_download

from ...core.errors import InputError
from ...core.progress import say_once
from ...models.loading import source_of
from ...models.processor_files import PROCESSOR_FILES, processor_files
from ...tasks.task import Task

#: Folder of the chat templates that have a name, beside the usual one.
_TEMPLATES = "additional_chat_templates"


def write_processor(folder: Path, task: Task | None, base: str) -> None:
    """Write the files of a task's processor; without a task, those of the base, as they are, with its chat template.

    A line says so where the base has none that can be found.
    """
    if task is not None:
        task.processor.save_pretrained(folder)
        return
    files = [] if (source := _source(base)) is None else processor_files(source)
    for path in files:
        shutil.copyfile(path, folder / path.name)
    if source is not None and (source / _TEMPLATES).is_dir():
        shutil.copytree(source / _TEMPLATES, folder / _TEMPLATES)
    if not files:
        say_once(f"{base or 'the base'}: no tokenizer and no image settings found there; save your own to the export")


def _source(base: str) -> Path | None:
    """The directory that has the base's files, in the hub's cache for a hub id; ``None``: there is none."""
    try:
        source = source_of(base) if base else ""
    except InputError:
        return None
    if not source or Path(source).is_dir():
        return Path(source) if source else None
    try:
        return Path(snapshot_download(source, allow_patterns=[*PROCESSOR_FILES, f"{_TEMPLATES}/*"]))
    except Exception:  # the client's own exceptions, and those of its HTTP library: not there, or not reached
        return None
