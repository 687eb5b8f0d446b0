"""Write slim models: only what inference needs, in a directory that no other loader takes for a whole model.

Two forms. ``standalone`` holds every weight that is still used. ``adapters`` holds only what was trained and names the
base model it belongs to, with the fingerprint of the frozen weights it was trained on. Both are read by :func:`load`.
The weights are not called ``model.safetensors`` and the ``model_type`` is our own. So a plain transformers class fails
at once, instead of filling the missing blocks with random numbers. Loading needs no training code.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from ..config import SkipConfig
from ..core.arguments import expect
from ..core.errors import InputError
from ..core.files import file_sha256, write_atomically
from ..core.output_folders import behind_links, is_occupied, make_output_folder
from ..core.process import versions
from ..core.progress import busy
from ..families.registry import family_of
from ..inserting.adapted_class import plain_class
from ..inserting.frozen_names import frozen_names
from ..inserting.pruning import prune, remove_dead_blocks
from ..inserting.selection import blocks_of, skipped_blocks
from ..models.architectures import ARCHITECTURES
from ..models.fingerprint import fingerprint
from ..models.loading import source_of
from ..models.processor_files import processor_files
from ..models.tied_weights import without_tied
from ..plan import Plan
from ..tasks.task import Task
from ..version import __version__
from .base_license import base_license
from .manifest import (
    FORMAT,
    MODEL_TYPE,
    SAMPLE,
    WEIGHTS,
    Form,
    Manifest,
    SavedTask,
    SkippedBlocks,
    is_slim,
    read_manifest,
)
from .own_classes import check_extra, check_settings, own_model_class, own_task_class
from .structure import check_rebuilt
from .tensor_file import write_tensors


@busy("exporting")
def export(
    model: PreTrainedModel,
    directory: str | Path,
    plan: Plan | None = None,
    task: Task | None = None,
    form: Form = "standalone",
    base: str | None = None,
    extra: dict[str, Any] | None = None,
) -> Path:
    """Write the slim form of ``model`` to ``directory``, whole or not at all; ``model`` is not changed.

    A model card, ``README.md``, describes it and what was measured.

    Args:
        model: with adapters inserted and trained.
        directory: the output; an earlier export there is replaced.
        plan: blocks to skip; ``None``: those the model skips now.
        task: saved beside it with its processor, so that the directory alone can answer questions.
        form: ``standalone`` or ``adapters``.
        base: the name, path or hub id of the base, which ``adapters`` needs; ``None``: where the model was loaded from.
        extra: JSON values for the configuration; the card shows those of :class:`skiptune.exporting.measures.Measures`.

    Raises:
        InputError: an argument of another type, adapters were never inserted, ``adapters`` without a base, or what
            :func:`skiptune.load` or :func:`skiptune.load_task` could not read: a class that cannot be found or made
            again, settings that are no JSON values.
        RunError: the disk is full.
    """
    from .card import write_card

    expect("export", model=(model, nn.Module), task=(task, (Task, type(None))))
    config: SkipConfig | None = getattr(model, "skip_config", None)
    if config is None:
        raise InputError("this model has no adapters; call skiptune.insert(model, config) first")
    loaded_from = str(getattr(model, "name_or_path", ""))
    base = base or loaded_from
    if form == "adapters" and not base:
        raise InputError("form='adapters' needs the base model's name or path; pass base=...")
    own = own_model_class(plain_class(model), model.config.model_type)
    if form == "adapters" and base not in ARCHITECTURES and not Path(base).exists():
        source_of(base)  # a hub id, or a name that loading knows
    check_extra(extra or {})
    named: dict[str, Any] = {} if own is None else {"own_class": own}
    saved_task = None if task is None else _saved(task)
    plan = plan or _present_plan(model)
    frozen = frozen_names(model)
    slim = prune(copy.deepcopy(model), plan) if form == "standalone" else remove_dead_blocks(copy.deepcopy(model), plan)
    state = without_tied(slim, slim.state_dict())
    if own is not None and form == "standalone":
        check_rebuilt(plain_class(model), slim, plan)
    kept_frozen = {name: value for name, value in state.items() if name in frozen}
    if form == "adapters":
        state = {name: value for name, value in state.items() if name not in frozen}
    # of what the weights really come from: ``base`` may be another name for it
    license = base_license(loaded_from) or base_license(base)
    directory = Path(directory)
    name = directory.name

    def write(folder: Path) -> None:
        folder.mkdir()
        if task is not None:
            task.processor.save_pretrained(folder)
        manifest = Manifest(
            model_type=MODEL_TYPE,
            format=FORMAT,
            skiptune_version=__version__,
            versions=versions(),
            form=form,
            architecture=plain_class(model).__name__,
            **named,
            base_config=model.config.to_dict(),
            base=base,
            base_fingerprint=fingerprint(kept_frozen.items()),
            base_sample=fingerprint(kept_frozen.items(), SAMPLE),
            skip_config=config,
            plan=SkippedBlocks(family=plan.family, blocks=plan.blocks, skipped=plan.skipped),
            strategy=plan.strategy,
            task=saved_task,
            parameters=sum(value.numel() for value in slim.parameters()),
            extra=extra or {},
            header_sha256=write_tensors(folder / WEIGHTS, state),
            files={path.name: file_sha256(path) for path in processor_files(folder)},
        )
        if license is not None:
            manifest = manifest.replace(license=license)
        manifest.write(folder)
        write_card(folder, name, manifest)

    check_slim_output(directory)
    write_atomically(behind_links(directory), write)
    return directory


def _saved(task: Task) -> SavedTask:
    """The task as a directory has it, if it can be loaded again."""
    own = own_task_class(task)
    kind = {} if own is None else {"class": own}
    return SavedTask.from_dict({"name": task.name, **kind, **check_settings(task)})


def check_slim_output(directory: Path) -> None:
    """Refuse to write a slim model over something else, before any work; make the directories above it.

    Raises:
        InputError: a file is in the way, the directory holds something else, or cannot be made.
    """
    if is_occupied(directory) and not is_slim(directory):
        raise InputError(f"{directory}: holds something else than a slim model; name another directory")
    make_output_folder(directory.parent)


def annotate(directory: str | Path, extra: dict[str, Any]) -> None:
    """Add later measurements to the ``extra`` of an export, and write its card again."""
    from .card import write_card

    folder = Path(directory)
    manifest = read_manifest(folder)
    manifest = manifest.replace(extra={**manifest.extra, **extra})
    write_card(folder, folder.name, manifest)
    manifest.write(folder)  # last: who is killed before it does both again


def _present_plan(model: PreTrainedModel) -> Plan:
    return Plan(family_of(model).name, tuple(blocks_of(model)), skipped_blocks(model))
