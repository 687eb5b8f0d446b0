"""Slim models on disk: only what inference needs, in a directory that no other loader mistakes for a whole model.

Two forms. ``standalone`` holds every weight that is still used. ``adapters`` holds only what was trained and names the
base model it belongs to, with the fingerprint of the frozen weights it was trained on. Both are read by :func:`load`.
The weights are not called ``model.safetensors`` and the ``model_type`` is our own, so that opening the directory with
a plain transformers class fails at once instead of filling the missing blocks with random numbers.
"""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path
from typing import Any, Literal

from accelerate import init_empty_weights
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoTokenizer, PreTrainedModel
from transformers.initialization import no_init_weights

from .checks import Problems, read_json, write_atomically, write_json
from .config import SkipConfig
from .errors import InputError
from .families.family import Family
from .families.registry import FAMILIES, family_of
from .insertion import blocks_of, insert, prune, remove_dead_blocks, skipped_blocks
from .models import fingerprint, load_config, load_model
from .plan import Plan
from .tasks import TASKS, Task
from .version import __version__

Form = Literal["standalone", "adapters"]
MODEL_TYPE = "skiptune-slim"
_CONFIG, _WEIGHTS = "config.json", "slim.safetensors"
_FORMAT = 1
_MODEL_CLASSES: dict[str, tuple[type[PreTrainedModel], Family]] = {
    model_class.__name__: (model_class, family) for family in FAMILIES for model_class in family.model_classes.values()
}


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

    Args:
        model: with adapters inserted and trained.
        directory: where to; an earlier export there is replaced.
        plan: blocks to skip; ``None``: those the model skips now.
        task: saved beside it with its processor, so that questions can be asked of the directory alone.
        form: ``standalone`` or ``adapters``.
        base: for ``adapters``, the name, path or hub id of the base; ``None``: where the model was loaded from.
        extra: JSON values kept in the configuration, e.g. measured accuracy.

    Raises:
        InputError: adapters were never inserted, or ``adapters`` without a base.
        RunError: the disk is full.
    """
    config: SkipConfig | None = getattr(model, "skip_config", None)
    if config is None:
        raise InputError("this model has no adapters; call skiptune.insert(model, config) first")
    base = base or getattr(model, "name_or_path", "")
    if form == "adapters" and not base:
        raise InputError("form='adapters' needs the base model's name or path; pass base=...")
    plan = plan or _present_plan(model)
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    slim = prune(copy.deepcopy(model), plan) if form == "standalone" else remove_dead_blocks(copy.deepcopy(model), plan)
    state = {name: value.contiguous() for name, value in slim.state_dict().items()}
    kept_frozen = {name: value for name, value in state.items() if name in frozen}
    if form == "adapters":
        state = {name: value for name, value in state.items() if name not in frozen}
    base_config = model.config.to_dict()
    content: dict[str, Any] = {
        "model_type": MODEL_TYPE,
        "format": _FORMAT,
        "skiptune_version": __version__,
        "form": form,
        "architecture": type(model).__name__,
        "base_config": base_config,
        "base": base,
        "base_fingerprint": fingerprint(kept_frozen.items()),
        "skip_config": config.to_dict(),
        "plan": {"family": plan.family, "blocks": list(plan.blocks), "skipped": list(plan.skipped)},
        "strategy": plan.strategy,
        "task": None if task is None else {"name": task.name, **task.settings()},
        "extra": extra or {},
    }

    def write(folder: Path) -> None:
        folder.mkdir()
        save_file(state, folder / _WEIGHTS, metadata={"format": "pt"})
        content["weights_sha256"] = _sha256(folder / _WEIGHTS)
        if task is not None:
            task.processor.save_pretrained(folder)
        write_json(folder / _CONFIG, content)

    directory = Path(directory)
    if directory.exists() and not directory.is_dir():
        raise InputError(f"{directory}: a file is in the way; name a directory")
    if directory.is_dir() and any(directory.iterdir()) and not (directory / _CONFIG).is_file():
        raise InputError(f"{directory}: holds something else than a slim model; name another directory")
    write_atomically(directory, write)
    return directory


def load(directory: str | Path, base: str | None = None) -> PreTrainedModel:
    """Read a slim model, ready for inference.

    Args:
        directory: what :func:`export` wrote.
        base: another place of the base model, for the ``adapters`` form.

    Raises:
        InputError: not a slim model, truncated or edited files, keys that do not fit, or another base than it was
            trained on (the message gives both fingerprints).
    """
    folder = Path(directory)
    content, weights = open_export(folder)
    try:
        # in memory of their own: at the odd addresses of a mapped file some kernels round differently
        state = {name: value.clone() for name, value in load_file(weights).items()}
    except SafetensorError as error:
        raise InputError(f"{weights}: cannot be read ({error})") from None
    try:
        config, plan = adapters_and_plan(content)
        read = _load_standalone if content["form"] == "standalone" else _load_on_base
        model = read(content, config, plan, state, base)
    except InputError as error:
        raise InputError(f"slim model {folder}: {error}") from None
    model.skip_config = config
    model.slim_content = content
    model.requires_grad_(False)
    return model.eval()


def open_export(folder: Path) -> tuple[dict[str, Any], Path]:
    """The configuration of a slim directory, and the file of its weights.

    Raises:
        InputError: not a slim model, or truncated or edited files.
    """
    content, weights = _read_config(folder), folder / _WEIGHTS
    if not weights.is_file():
        raise InputError(f"{weights}: no such file; the export is not complete")
    if _sha256(weights) != content["weights_sha256"]:
        raise InputError(f"{weights}: differs from what was exported (SHA-256); truncated or edited? Export it again")
    return content, weights


def adapters_and_plan(content: dict[str, Any]) -> tuple[SkipConfig, Plan]:
    """What a slim model's configuration says was inserted and skipped.

    Raises:
        InputError: one of them is not valid.
    """
    plan = Plan.from_dict({"details": {}, **content["plan"], "strategy": content["strategy"]})
    return SkipConfig.from_dict(content["skip_config"]), plan


def family_of_export(content: dict[str, Any]) -> Family:
    """The family of a slim model."""
    return _MODEL_CLASSES[content["architecture"]][1]


def model_without_weights(content: dict[str, Any]) -> PreTrainedModel:
    """The model that adapters were inserted into, its parameters on the meta device; buffers are there.

    Raises:
        InputError: its configuration describes none.
    """
    base_config = {name: value for name, value in content["base_config"].items() if name != "model_type"}
    model_class, family = _MODEL_CLASSES[content["architecture"]]
    try:
        with no_init_weights(), init_empty_weights(include_buffers=False):
            return model_class(family.config_class(**base_config))
    except Exception as error:  # an edited configuration can break any line of the model
        raise InputError(f"base_config describes no model ({_first_line(error)}); edited?") from None


def load_task(directory: str | Path, model: PreTrainedModel) -> Task:
    """The task a slim model was trained for, with the processor saved beside it.

    Raises:
        InputError: it was exported without a task, or its files are damaged.
    """
    folder = Path(directory)
    content = _read_config(folder).get("task")
    if not isinstance(content, dict) or content.get("name") not in TASKS:
        raise InputError(f"{folder}: exported without a task; pass one to skiptune.export to ask it questions")
    settings = {name: value for name, value in content.items() if name != "name"}
    processor = load_saved_processor(folder, family_of(model))
    try:
        return TASKS[content["name"]](processor, **settings)
    except TypeError as error:
        raise InputError(f"{folder / _CONFIG}: task: {error}; edited?") from None


def load_saved_processor(folder: Path, family: Family) -> Any:
    """The processor in a slim directory; the files are the usual ones of transformers."""
    processor, images = family.processor_classes
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, config=family.config_class())
        return processor(images.from_pretrained(folder), tokenizer)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: no processor saved beside the slim model ({_first_line(error)})") from None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def is_slim(directory: str | Path) -> bool:
    """Whether ``directory`` holds a slim model."""
    path = Path(directory) / _CONFIG
    return path.is_file() and f'"{MODEL_TYPE}"' in path.read_text(encoding="utf-8", errors="replace")


def _read_config(folder: Path) -> dict[str, Any]:
    content = read_json(folder / _CONFIG)
    if not isinstance(content, dict) or content.get("model_type") != MODEL_TYPE:
        found = content.get("model_type") if isinstance(content, dict) else content
        raise InputError(f"{folder}: not a slim model (model_type {found!r}, expected {MODEL_TYPE!r})")
    problems = Problems(f"{folder / _CONFIG} is not valid")
    kinds = {
        "form": str,
        "architecture": str,
        "base_config": dict,
        "base_fingerprint": str,
        "skip_config": dict,
        "plan": dict,
        "strategy": str,
        "weights_sha256": str,
    }
    for name, kind in kinds.items():
        problems.check(isinstance(content.get(name), kind), f"{name}: missing or not a {kind.__name__}")
    problems.check(content.get("form") in ("standalone", "adapters"), f"form: {content.get('form')!r} is not known")
    known = content.get("architecture") in tuple(_MODEL_CLASSES)
    problems.check(known, f"architecture: {content.get('architecture')!r} is not one of {sorted(_MODEL_CLASSES)}")
    problems.check(content.get("format") == _FORMAT, f"format: {content.get('format')!r}, this version reads {_FORMAT}")
    problems.raise_any()
    return content


def _load_standalone(
    content: dict[str, Any], config: SkipConfig, plan: Plan, state: dict[str, Tensor], base: str | None
) -> PreTrainedModel:
    """Build the pruned structure without allocating weights, then take the tensors from the file."""
    if base is not None:
        raise InputError("it stands alone and takes no base")
    model = model_without_weights(content)
    insert(model, config, merged=True)
    prune(model, plan)
    own, found = ({name: value.shape for name, value in values.items()} for values in (model.state_dict(), state))
    if own != found:
        missing, unknown = sorted(own.keys() - found.keys()), sorted(found.keys() - own.keys())
        sizes = [name for name in own.keys() & found.keys() if own[name] != found[name]]
        raise InputError(
            f"the weights do not fit: missing {missing[:3]}, unknown {unknown[:3]}, other sizes {sorted(sizes)[:3]}"
        )
    model.load_state_dict(state, strict=True, assign=True)
    model.tie_weights()
    return model


def _load_on_base(
    content: dict[str, Any], config: SkipConfig, plan: Plan, state: dict[str, Tensor], base: str | None
) -> PreTrainedModel:
    name = base or content["base"]
    model_class, _ = _MODEL_CLASSES[content["architecture"]]
    changes = _changes(content["base_config"], load_config(name).to_dict())
    model = load_model(name, model_class, quiet=True, **changes)  # the head comes with the adapters
    insert(model, config)
    remove_dead_blocks(model, plan)
    frozen = {key: value for key, value in model.state_dict().items() if key not in state}
    found = fingerprint(frozen.items())
    if found != content["base_fingerprint"]:
        raise InputError(
            f"{name}: not the base it was trained on; expected fingerprint {content['base_fingerprint']}, found {found}"
        )
    _, unknown = model.load_state_dict(state, strict=False)
    if unknown:
        raise InputError(f"the weights do not fit {name}: unknown {sorted(unknown)[:3]}")
    return prune(model, plan)


def _changes(trained: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """The fields in which the configuration trained with differs from the base's, its encoders' sizes aside."""
    fields = sorted(trained.keys() - {"architectures", "dtype", "transformers_version", "_name_or_path"})
    changes = {name: trained[name] for name in fields if trained[name] != base.get(name)}
    changes = {name: value for name, value in changes.items() if not isinstance(value, dict)}
    labels = {int(label): text for label, text in trained["id2label"].items()}
    return {**changes, "num_labels": len(labels), "id2label": labels, "label2id": trained["label2id"]}


def _present_plan(model: nn.Module) -> Plan:
    return Plan(family_of(model).name, tuple(blocks_of(model)), skipped_blocks(model))


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(2**20), b""):
            digest.update(chunk)
    return digest.hexdigest()
