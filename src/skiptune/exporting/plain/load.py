"""Read a plain checkpoint, and the task beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import transformers
from transformers import PreTrainedModel

from ...core.errors import InputError, first_line
from ...families.registry import family_of_type
from ...models.construction import construction, unsaid, without_their_bars
from ...models.loading import load_config
from ..manifest import SavedTask
from .record import RECORD, read_record


def load_plain(folder: Path, verify: bool = False, model_class: type[PreTrainedModel] | None = None) -> PreTrainedModel:
    """The model in a plain checkpoint, ready for inference: of its task's class, else of transformers' own.

    Args:
        folder: with the checkpoint.
        verify: compare the weights with the digests taken at export.
        model_class: another class to read it with.

    Raises:
        InputError: edited or damaged files, or weights that do not fit.
    """
    record = read_record(folder)
    record.check_files(folder, verify)
    model, lost = read_plain(folder, model_class or class_of(folder))
    if lost:
        raise InputError(f"{folder}: the weights do not fit {type(model).__name__}: {lost}")
    model.requires_grad_(False)
    return model.eval()


def read_plain(
    folder: Path, model_class: Any, attention: Mapping[str, str] | None = None
) -> tuple[PreTrainedModel, dict[str, Any]]:
    """The model in a directory as transformers reads it, and the names of weights that did not fit, by how they do
    not.

    Args:
        folder: with the checkpoint.
        model_class: the class.
        attention: implementations of attention by parts of the configuration; ``None``: transformers' defaults.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with construction(), unsaid(), without_their_bars():
            model, report = model_class.from_pretrained(
                folder, dtype="auto", attn_implementation=attention, output_loading_info=True
            )
    except Exception as error:  # damaged files can raise anything
        raise InputError(f"{folder}: transformers cannot read it ({first_line(error)}); missing or edited?") from None
    return model, {kind: sorted(map(str, names))[:3] for kind, names in report.items() if names}


def plain_task(folder: Path) -> tuple[SavedTask | None, Any, Any]:
    """The task saved in a plain checkpoint, the family of its model and its configuration.

    Raises:
        InputError: edited or damaged files.
    """
    record, config = read_record(folder), load_config(str(folder))
    record.check_files(folder, verify=False)
    return record.task, family_of_type(config.model_type, str(folder)), config


def class_of(folder: Path) -> type[PreTrainedModel]:
    """The family's class for the task, which has the same weights; without a task, transformers' own.

    Raises:
        InputError: edited or damaged files.
    """
    record, config = read_record(folder), load_config(str(folder))
    classes = family_of_type(config.model_type, str(folder)).model_classes
    if record.task is not None and record.task.name in classes:
        return classes[record.task.name]
    found = getattr(transformers, record.architecture, None)
    if not (isinstance(found, type) and issubclass(found, PreTrainedModel)):
        raise InputError(f"{folder / RECORD}: architecture: {record.architecture!r} is no class of transformers'")
    return found
