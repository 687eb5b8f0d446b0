"""The picture of the patches that live on in a run's model, ``patches.png``, for its report card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from ..core.errors import InputError
from ..core.files import holding, write_atomically
from ..data.record import Record
from ..families.registry import family_of
from ..models.evaluation_mode import evaluation_mode
from ..plan import TokenSchedule
from ..reporting.living_patches import traced_patches
from ..reporting.report import PATCHES
from ..tasks.task import Task

_SAMPLES = 4
Traced: TypeAlias = tuple[list[NDArray[Any]], list[dict[str, NDArray[Any]]], int]


def draw_patches(
    folder: Path,
    tokens: TokenSchedule | None,
    task: Task,
    records: Sequence[Record],
    trained: Callable[[], PreTrainedModel],
) -> None:
    """Write the picture to the run's directory, if it is not there.

    There is none where image tokens do not become fewer, where records have two pictures, or where image tokens are no
    patches of one size, as in language models.

    Args:
        folder: of the run.
        tokens: of the plan.
        task: of the run.
        records: of which the first pictures are shown.
        trained: gives the trained model.
    """
    path = folder / PATCHES
    if tokens is None or path.is_file() or task.number != 1 or task.name == "generation":
        return
    from ..reporting.patch_picture import patch_picture  # matplotlib is slow to import

    pictures, living, patch = traced_pictures(trained(), task, first_pictures(records, _SAMPLES))
    if pictures:
        write_atomically(path, holding(patch_picture(pictures, living, patch)))


def first_pictures(records: Sequence[Record], number: int) -> list[Record]:
    """The first records of different pictures; several questions may be about one."""
    found: dict[str, Record] = {}
    for record in records:
        if record.images and len(found) < number:
            found.setdefault(str(record.images[0]), record)
    return list(found.values())


def traced_pictures(model: PreTrainedModel, task: Task, records: Sequence[Record]) -> Traced:
    """The pictures of records as the model sees them, each ``(height, width, 3)`` from 0 to 1, what becomes of their
    patches, and the side of a patch in pixels; no pictures where image tokens are no such patches."""
    patch = family_of(model).sizes(model.config).patch_size
    pictures, living = [], []
    for record in records:
        try:
            pixels = task.images.pixels(record.images[0]).transpose(1, 2, 0) / 255
        except InputError:  # damaged
            continue
        found = _traced(model, task.collate([record]))
        if any(groups.shape[1] * patch**2 != pixels.shape[0] * pixels.shape[1] for groups in found.values()):
            return [], [], patch
        pictures.append(pixels)
        living.append(found)
    return pictures, living, patch


def _traced(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> dict[str, NDArray[Any]]:
    """By block, which patches the tokens of the one picture stand for, ``(tokens, patches)``."""
    given = {name: value.to(model.device) for name, value in batch.items() if name != "labels"}
    with evaluation_mode(model), torch.no_grad(), traced_patches(model) as found:
        model(**given)
    return {name: groups[0].cpu().numpy() for name, groups in found.items()}
