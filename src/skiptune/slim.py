"""Slim models on disk: only what inference needs, in a directory that no other loader mistakes for a whole model.

Two forms. ``standalone`` holds every weight that is still used. ``adapters`` holds only what was trained and names the
base model it belongs to, with the fingerprint of the frozen weights it was trained on. Both are read by :func:`load`.
The weights are not called ``model.safetensors`` and the ``model_type`` is our own, so that opening the directory with
a plain transformers class fails at once instead of filling the missing blocks with random numbers. Reading them needs
no code of training.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from transformers import PreTrainedModel

from .checks import file_sha256, write_atomically, write_json, write_text
from .config import SkipConfig
from .errors import InputError, first_line
from .families.family import Family
from .families.registry import family_of
from .hub import local_folder
from .insertion import blocks_of, prune, remove_dead_blocks, skipped_blocks
from .models import fingerprint
from .plan import Plan
from .runtime import versions
from .slim_config import CONFIG, FORMAT, MODEL_TYPE, SAMPLE, WEIGHTS, is_slim, read_config
from .slim_structure import load_on_base, load_standalone
from .tensor_file import data_is_whole, header_sha256, map_tensors, write_tensors
from .version import __version__

if TYPE_CHECKING:
    from .tasks import Task

__all__ = ["Form", "annotate", "export", "is_slim", "load", "load_saved_processor", "load_task"]

Form = Literal["standalone", "adapters"]
_CARD = "README.md"


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

    A model card, ``README.md``, says what it is and what was measured of it.

    Args:
        model: with adapters inserted and trained.
        directory: where to; an earlier export there is replaced.
        plan: blocks to skip; ``None``: those the model skips now.
        task: saved beside it with its processor, so that questions can be asked of the directory alone.
        form: ``standalone`` or ``adapters``.
        base: the name, path or hub id of the base, which ``adapters`` needs; ``None``: where the model was loaded from.
        extra: JSON values kept in the configuration; the card tells of those named in :mod:`skiptune.card`.

    Raises:
        InputError: adapters were never inserted, or ``adapters`` without a base.
        RunError: the disk is full.
    """
    from .card import model_card

    config: SkipConfig | None = getattr(model, "skip_config", None)
    if config is None:
        raise InputError("this model has no adapters; call skiptune.insert(model, config) first")
    base = base or getattr(model, "name_or_path", "")
    if form == "adapters" and not base:
        raise InputError("form='adapters' needs the base model's name or path; pass base=...")
    plan = plan or _present_plan(model)
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    slim = prune(copy.deepcopy(model), plan) if form == "standalone" else remove_dead_blocks(copy.deepcopy(model), plan)
    state = slim.state_dict()
    kept_frozen = {name: value for name, value in state.items() if name in frozen}
    if form == "adapters":
        state = {name: value for name, value in state.items() if name not in frozen}
    base_config = model.config.to_dict()
    content: dict[str, Any] = {
        "model_type": MODEL_TYPE,
        "format": FORMAT,
        "skiptune_version": __version__,
        "versions": versions(),
        "form": form,
        "architecture": type(model).__name__,
        "base_config": base_config,
        "base": base,
        "base_fingerprint": fingerprint(kept_frozen.items()),
        "base_sample": fingerprint(kept_frozen.items(), SAMPLE),
        "skip_config": config.to_dict(),
        "plan": {"family": plan.family, "blocks": list(plan.blocks), "skipped": list(plan.skipped)},
        "strategy": plan.strategy,
        "task": None if task is None else {"name": task.name, **task.settings()},
        "parameters": sum(value.numel() for value in slim.parameters()),
        "extra": extra or {},
    }

    directory = Path(directory)
    name = directory.name

    def write(folder: Path) -> None:
        folder.mkdir()
        content["header_sha256"] = write_tensors(folder / WEIGHTS, state)
        if task is not None:
            task.processor.save_pretrained(folder)
        write_json(folder / CONFIG, content)
        write_text(folder / _CARD, model_card(content, name))

    if directory.exists() and not directory.is_dir():
        raise InputError(f"{directory}: a file is in the way; name a directory")
    if directory.is_dir() and any(directory.iterdir()) and not is_slim(directory):
        raise InputError(f"{directory}: holds something else than a slim model; name another directory")
    write_atomically(directory, write)
    return directory


def annotate(directory: str | Path, extra: dict[str, Any]) -> None:
    """Add to the ``extra`` of an export what was measured since, and write its card again."""
    from .card import model_card

    folder = Path(directory)
    content = read_config(folder)
    content["extra"] = {**content.get("extra", {}), **extra}
    write_json(folder / CONFIG, content)
    write_text(folder / _CARD, model_card(content, folder.name))


def load(directory: str | Path, base: str | None = None, verify: bool = False) -> PreTrainedModel:
    """Read a slim model, ready for inference.

    Weights stay in the file until they are used, and skipped blocks are neither read nor allocated. Checked at every
    load: the configuration; that the header of the weights' file (names, types, sizes, digest of the data) is the one
    exported and the file as long as it says, so that a truncated file, one of another export or an edited header is
    refused; for ``adapters``, that the base has the frozen weights that were trained on, by their names, types, sizes
    and some numbers of each, so that another model or a further trained one is refused. With ``verify`` every byte of
    the weights' file and of the base's kept blocks is compared, which takes several times as long (what version 0.2
    exported is always compared so).

    Args:
        directory: what :func:`export` wrote, or the id of a repository on the hub, ``user/name``.
        base: another place of the base model, for the ``adapters`` form.
        verify: compare all weights with the digests taken at export.

    Raises:
        InputError: not a slim model, truncated or edited files, keys that do not fit, or another base than it was
            trained on (the message gives both fingerprints).
    """
    folder = local_folder(directory)
    content, weights = open_export(folder, verify)
    state = map_tensors(weights)
    try:
        config, plan = adapters_and_plan(content)
        if content["form"] == "standalone" and base is not None:
            raise InputError("it stands alone and takes no base")
        model = (
            load_standalone(content, config, plan, state)
            if content["form"] == "standalone"
            else load_on_base(content, config, plan, state, base, verify)
        )
    except InputError as error:
        raise InputError(f"slim model {folder}: {error}") from None
    model.skip_config = config
    model.slim_content = content
    model.requires_grad_(False)
    return model.eval()


def open_export(folder: Path, verify: bool = False) -> tuple[dict[str, Any], Path]:
    """The configuration of a slim directory, and the file of its weights, checked as :func:`load` says.

    Raises:
        InputError: not a slim model, or truncated or edited files.
    """
    content, weights = read_config(folder), folder / WEIGHTS
    if not weights.is_file():
        raise InputError(f"{weights}: no such file; the export is not complete")
    _check_weights(weights, content, verify)
    return content, weights


def adapters_and_plan(content: dict[str, Any]) -> tuple[SkipConfig, Plan]:
    """What a slim model's configuration says was inserted and skipped.

    Raises:
        InputError: one of them is not valid.
    """
    plan = Plan.from_dict({"details": {}, **content["plan"], "strategy": content["strategy"]})
    return SkipConfig.from_dict(content["skip_config"]), plan


def _check_weights(weights: Path, content: dict[str, Any], verify: bool) -> None:
    """Refuse a file of weights that is not the one exported."""
    if content["format"] == 1:
        same = file_sha256(weights) == content["weights_sha256"]
    else:
        same = header_sha256(weights) == content["header_sha256"] and (not verify or data_is_whole(weights))
    if not same:
        raise InputError(f"{weights}: differs from what was exported (SHA-256); truncated or edited? Export it again")


def load_task(directory: str | Path, model: PreTrainedModel) -> Task:
    """The task a slim model was trained for, with the processor saved beside it.

    Raises:
        InputError: it was exported without a task, or its files are damaged.
    """
    from .tasks import TASKS

    folder = local_folder(directory)
    content = read_config(folder).get("task")
    if not isinstance(content, dict) or content.get("name") not in TASKS:
        raise InputError(f"{folder}: exported without a task; pass one to skiptune.export to ask it questions")
    settings = {name: value for name, value in content.items() if name != "name"}
    processor = load_saved_processor(folder, family_of(model))
    try:
        return TASKS[content["name"]](processor, **settings)
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


def _present_plan(model: PreTrainedModel) -> Plan:
    return Plan(family_of(model).name, tuple(blocks_of(model)), skipped_blocks(model))
