"""Write slim models: only what inference needs, in a directory that no other loader takes for a whole model.

Two forms are SkipTune's own. ``standalone`` holds every weight that is still used. ``adapters`` holds only what was
trained and names the base model it belongs to, with the fingerprint of the frozen weights it was trained on. Both are
read by :func:`load`. The weights are not called ``model.safetensors`` and the ``model_type`` is our own. So a plain
transformers class fails at once, instead of filling the missing blocks with random numbers. Loading needs no training
code.

The third, ``plain``, is a whole model of transformers' own class with fewer layers: :mod:`skiptune.exporting.plain`.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Literal, get_args

from torch import nn
from transformers import PreTrainedModel

from ..config import SkipConfig
from ..core.arguments import expect
from ..core.errors import InputError
from ..core.files import file_sha256, write_atomically
from ..core.output_folders import behind_links
from ..core.process import versions
from ..core.progress import busy
from ..core.validation import nearest
from ..families.registry import family_of
from ..inserting.adapted_class import plain_class
from ..inserting.folding import folded_layers
from ..inserting.frozen_names import frozen_names
from ..inserting.pruning import prune, remove_dead_blocks
from ..inserting.selection import blocks_of, chosen_tokens, skipped_blocks
from ..models.architectures import ARCHITECTURES
from ..models.fingerprint import fingerprint
from ..models.generation_files import generation_of, write_generation
from ..models.loading import source_of
from ..models.processor_files import matching
from ..models.tied_weights import without_tied
from ..plan import Plan
from ..tasks.task import Task
from ..version import __version__
from .base_license import base_license
from .manifest import (
    FORMAT,
    MODEL_TYPE,
    OBEYED,
    SAMPLE,
    WEIGHTS,
    Manifest,
    SkippedBlocks,
    read_manifest,
)
from .output import check_output
from .own_classes import check_extra, own_model_class
from .saved_task import saved_task
from .structure import check_rebuilt
from .tensor_file import write_tensors

ExportForm = Literal["standalone", "adapters", "plain"]

#: How to get the model in what PEFT, ``torch.compile`` and torch's distributed training put around it.
_WRAPPED = ("merge_and_unload()", "_orig_mod", "module")


@busy("exporting")
def export(
    model: PreTrainedModel,
    directory: str | Path,
    plan: Plan | None = None,
    task: Task | None = None,
    form: ExportForm = "standalone",
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
        form: ``standalone``, ``adapters``, or ``plain``: a checkpoint that transformers' own class reads. It is read
            and compared before it is kept.
        base: the name, path or hub id of the base, which ``adapters`` needs; ``None``: where the model was loaded from.
        extra: JSON values for the configuration; the card shows those of :class:`skiptune.exporting.measures.Measures`.

    Raises:
        InputError: an argument of another type, adapters were never inserted, ``adapters`` without a base, or what
            :func:`skiptune.load` or :func:`skiptune.load_task` could not read: a class that cannot be found or made
            again, settings that are no JSON values. With ``plain``: what no class of transformers' own can be.
        RunError: the disk is full.
    """
    from .card import write_card
    from .plain.write import write_plain

    expect("export", model=(model, nn.Module), plan=(plan, (Plan, type(None))), task=(task, (Task, type(None))))
    _refuse_wrapped(model)
    config: SkipConfig | None = getattr(model, "skip_config", None)
    if config is None:
        raise InputError("this model has no adapters; call skiptune.insert(model, config) first")
    if form not in get_args(ExportForm):
        raise InputError(f"form: {form!r}{nearest(form, get_args(ExportForm))}")
    loaded_from = str(getattr(model, "name_or_path", ""))
    base, plan = base or loaded_from, plan or _present_plan(model)
    if form == "adapters" and not base:
        raise InputError("form='adapters' needs the base model's name or path; pass base=...")
    if form == "adapters" and base not in ARCHITECTURES and not Path(base).exists():
        source_of(base)  # a hub id, or a name that loading knows
    extra = {**_losses_of_beginnings(plan), **(extra or {})}
    check_extra(extra)
    if form == "plain":
        return write_plain(model, Path(directory), plan, task, base, extra)
    own = own_model_class(plain_class(model), model.config.model_type)
    named: dict[str, Any] = {} if own is None else {"own_class": own}
    kept_task = None if task is None else saved_task(task)
    frozen = frozen_names(model)
    slim = prune(copy.deepcopy(model), plan) if form == "standalone" else remove_dead_blocks(copy.deepcopy(model), plan)
    state = without_tied(slim, slim.state_dict())
    if form == "standalone":  # layers that took up skip adapters are no longer the base's
        taken_up = folded_layers(slim)
        frozen = {name for name in frozen if name.rpartition(".")[0] not in taken_up}
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
        write_generation(generation_of(slim), folder)
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
            plan=SkippedBlocks.of(plan),
            strategy=plan.strategy,
            task=kept_task,
            parameters=sum(value.numel() for value in slim.parameters()),
            extra=extra,
            header_sha256=write_tensors(folder / WEIGHTS, state),
            files={path.name: file_sha256(path) for path in matching(folder, OBEYED)},
        )
        if license is not None:
            manifest = manifest.replace(license=license)
        manifest.write(folder)
        write_card(folder, name, manifest)

    check_output(directory)
    write_atomically(behind_links(directory), write)
    return directory


def _refuse_wrapped(model: nn.Module) -> None:
    """Refuse what other libraries put around a model, which has names of its own for all weights.

    Raises:
        InputError: says how to get the model in it.
    """
    inner = next((name for name in _WRAPPED if hasattr(model, name.partition("(")[0])), None)
    if inner is not None and not isinstance(model, PreTrainedModel):
        raise InputError(f"model: it is inside of {type(model).__name__}; export model.{inner}")


def _losses_of_beginnings(plan: Plan) -> dict[str, Any]:
    """What a nested plan loses with each number of skipped blocks, for the card."""
    losses = plan.nested.losses if plan.nested is not None else ()
    return {"nested_losses": list(losses)} if losses else {}


def annotate(directory: str | Path, extra: dict[str, Any]) -> None:
    """Add later measurements to the ``extra`` of an export, and write its card again."""
    from .card import write_card

    folder = Path(directory)
    manifest = read_manifest(folder)
    manifest = manifest.replace(extra={**manifest.extra, **extra})
    write_card(folder, folder.name, manifest)
    manifest.write(folder)  # last: who is killed before it does both again


def _present_plan(model: PreTrainedModel) -> Plan:
    return Plan(family_of(model).name, tuple(blocks_of(model)), skipped_blocks(model), tokens=chosen_tokens(model))
