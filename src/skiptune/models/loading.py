"""Load a model by name: an embedded one, a directory, a hub id, or an architecture with random weights."""

from __future__ import annotations

import copy
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel

from ..core.errors import InputError, first_line
from ..core.progress import say_once
from ..core.shown import shown
from ..core.text_files import read_json
from ..core.validation import nearest
from ..families.family import Family
from ..families.registry import family_of_type, is_supported
from ..families.task_names import TaskName
from .architectures import ARCHITECTURES
from .chat_processors import read_chat_processor
from .config_check import refuse_odd_config
from .construction import construction, unsaid
from .embedded import EMBEDDED, embedded_path
from .head_transfer import carry_rows, label_names, last_layer, rows_by_name
from .in_parts import settle_generation, weights_of
from .processors import read_processor
from .weight_files import refuse_not_finite


def source_of(name: str) -> str:
    """A directory or hub id for ``name``: embedded names become their directory, anything else stays.

    Raises:
        InputError: an architecture name (no weights to load), or a path that does not exist.
    """
    if name in EMBEDDED:
        return str(embedded_path(name))
    if name in ARCHITECTURES:
        raise InputError(f"{name} is an architecture with random weights; there is no checkpoint to load")
    looks_like_path = name.startswith((".", "/", "~")) or name.count("/") > 1
    path = Path(name).expanduser()
    if path.is_dir():
        if (path / "config.json").is_file():
            return str(path)
        raise InputError(f"{name}: no config.json in this directory; it is not a model")
    if looks_like_path or "/" not in name:
        raise InputError(f"{name}: no such model or directory{nearest(name, [*EMBEDDED, *ARCHITECTURES])}")
    return name


def load_config(name: str) -> Any:
    """The transformers configuration of a model."""
    if name in ARCHITECTURES:
        return ARCHITECTURES[name].config()
    found, kind = _loading(name, _config_fields)
    if is_supported(kind) or not isinstance(found, Mapping):
        refuse_odd_config(found, name)
        return _loading(name, family_of_type(str(kind), name).config_class.from_pretrained)
    return _loading(name, lambda source: AutoConfig.from_pretrained(source, trust_remote_code=False))


def _config_fields(source: str) -> tuple[object, str | None]:
    """The content of ``config.json``, and the ``model_type`` in it."""
    path = Path(source) / "config.json"
    if path.is_file() and path.read_bytes()[: len(BOM_UTF8)] == BOM_UTF8:
        raise InputError(f"{path}: begins with a byte-order mark, which transformers does not read; save it without")
    found = read_json(path) if path.is_file() else PreTrainedConfig.get_config_dict(source)[0]
    kind = found.get("model_type") if isinstance(found, dict) else None
    return found, kind if isinstance(kind, str) else None


def load_family(name: str) -> Family:
    """The family of a model.

    Raises:
        InputError: unknown name, or no family covers it.
    """
    return family_of_type(load_config(name).model_type, name)


def load_model(
    name: str,
    model_class: type[PreTrainedModel] | TaskName,
    seed: int = 0,
    random_weights: bool = False,
    quiet: bool = False,
    **changes: Any,
) -> PreTrainedModel:
    """A model of ``model_class`` in float32 with the pre-trained body of ``name``.

    ``model_class`` may be the name of a task (``vqa``, ``reasoning``, ``retrieval``, ``entailment``): the class that
    the model's family has for it.

    Parameters the checkpoint lacks (the task head) are drawn from a private generator seeded by ``seed``, so they do
    not depend on earlier random numbers. ``changes`` are configuration fields, e.g. ``num_labels``. ``random_weights``
    builds the configuration without reading weights.

    If the checkpoint has a trained head with other labels than ``changes``, the rows of its last layer are transferred
    by label name (``id2label``), and the others start fresh. A line about it is printed, unless ``quiet``.

    Raises:
        InputError: unknown name, unsupported family, or files that cannot be read.
    """
    config = load_config(name)
    if isinstance(model_class, str):
        model_class = family_of_type(config.model_type, name).model_class(model_class)
    if not (isinstance(model_class, type) and issubclass(model_class, PreTrainedModel)):
        told = model_class.__name__ if isinstance(model_class, type) else shown(model_class)
        raise InputError(
            f"model_class: {told} is not the class of a model; name a task, or one of transformers' classes such as "
            "LlamaForCausalLM"
        )
    if config.model_type != model_class.config_class.model_type:
        wanted = model_class.config_class.model_type
        raise InputError(f"{name}: model_type {config.model_type!r} is not a supported family; supported: {wanted}")
    own = copy.deepcopy(config)
    for field, value in changes.items():
        setattr(config, field, value)
    with construction(seed):
        if name in ARCHITECTURES:
            model = model_class(config)
        elif random_weights:
            model = _loading(name, lambda source: model_class(config))
        else:
            model, unread = _loading(name, lambda source: _from_pretrained(model_class, source, config))
            said = _settle_head(name, model, unread, own) if "id2label" in changes else ""
            if said and not quiet:
                say_once(f"{name}: {said}")
    model.name_or_path = name
    return model


def _from_pretrained(model_class: type[PreTrainedModel], source: str, config: Any) -> tuple[PreTrainedModel, set[str]]:
    """The model, and the names of its parameters that the checkpoint lacks or has in other sizes."""
    model, report = _filled(model_class.from_pretrained, source, config)
    unread = _unread(report)
    lost = sorted(key for key in unread if key.startswith(family_of_type(config.model_type, source).body_prefixes))
    if lost:
        raise InputError(
            f"{source}: the checkpoint lacks {len(lost)} body weights or has them in other sizes: {lost[:5]}"
        )
    fixed = sorted(set(report["missing_keys"]) & {name for name, _ in model.named_buffers()})
    if fixed:  # never trained, so they cannot be initialised
        raise InputError(
            f"{source}: the checkpoint has no {', '.join(fixed)}: no head for image-text matching. Turn matching_loss "
            "off, or name a model that has one (skiptune convert --task retrieval keeps it)"
        )
    refuse_not_finite(model.named_parameters(), source)
    _tell_of_left_over_layers(source, report)
    return model, unread


def _filled(read: Callable[..., Any], source: str, config: Any) -> tuple[PreTrainedModel, Mapping[str, Iterable[Any]]]:
    """The model in float32 that ``read``, transformers' ``from_pretrained`` of a class, makes, and its report."""
    place, more = weights_of(source, config)
    model, report = read(
        place, config=config, dtype=torch.float32, output_loading_info=True, ignore_mismatched_sizes=True, **more
    )
    settle_generation(model, source)
    return model, report


def _tell_of_left_over_layers(source: str, report: Mapping[str, Iterable[Any]]) -> None:
    """Say which layers a checkpoint has beyond those that its configuration describes."""
    layers = {match[1] for key in report["unexpected_keys"] if (match := re.match(r"(.+?\.\d+)\.", str(key)))}
    if layers:
        some = ", ".join(sorted(layers)[:3])
        say_once(f"{source}: its config.json leaves out {len(layers)} of the layers in its weights: {some}")


def load_pruned(
    name: str,
    config: PreTrainedConfig,
    model_class: type[PreTrainedModel],
    take_out: Callable[[PreTrainedModel], None],
    **changes: Any,
) -> tuple[PreTrainedModel, set[str]]:
    """A checkpoint's model without what ``take_out`` removes from the structure: it is neither allocated nor read.

    ``config`` is the checkpoint's, ``changes`` are fields of it. ``take_out`` gets the model before it has weights. In
    float32. Parameters that the checkpoint lacks are returned by name; their values say nothing.

    Raises:
        InputError: another family, or files that cannot be read.
    """
    if config.model_type != model_class.config_class.model_type:
        raise InputError(f"{name}: model_type {config.model_type!r}, expected {model_class.config_class.model_type!r}")
    for field, value in changes.items():
        setattr(config, field, value)

    class Pruned(model_class):
        """``from_pretrained`` fills the structure that its class makes."""

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            take_out(self)

    # by its class and module transformers knows the names that its weights have in older checkpoints
    Pruned.__name__, Pruned.__module__ = model_class.__name__, model_class.__module__

    # a class's own ``from_pretrained`` may start its head, whose weights are given here
    read = partial(PreTrainedModel.from_pretrained.__func__, Pruned)
    with construction(), unsaid():  # blocks are missing on purpose
        model, report = _loading(name, lambda source: _filled(read, source, config))
    model.__class__ = model_class
    model.name_or_path = name
    unread = _unread(report)
    refuse_not_finite(((key, value) for key, value in model.named_parameters() if key not in unread), name)
    return model, unread


def _unread(report: Mapping[str, Iterable[Any]]) -> set[str]:
    """Parameters that a checkpoint lacks or has in other sizes, from transformers' loading report."""
    return set(report["missing_keys"]) | {str(item[0]) for item in report["mismatched_keys"]}


def _settle_head(name: str, model: PreTrainedModel, unread: set[str], own: Any) -> str:
    """Move the rows of a trained head's last layer to the new places of their answers; returns a line about it.

    ``own`` is the checkpoint's configuration. A head whose other layers the checkpoint lacks stays as it was drawn.
    """
    layer, names, wanted = last_layer(model), label_names(own), label_names(model.config)
    if layer is None or names == wanted:
        return ""
    last = {key for key, value in model.named_parameters() if value is layer.weight or value is layer.bias}
    own_head = {key for key, _ in model.named_parameters() if key.startswith("classifier.")}
    if own_head & unread - last or (not names and own_head <= unread):
        return ""
    if not names:
        rest = f"it starts fresh for {len(wanted)} answers" if unread & last else "taken in the order of the data"
        return f"the labels of its head have no names; {rest}"
    source = model
    if unread & last:
        source, unread = _loading(name, lambda path: _from_pretrained(type(model), path, own))
    other = last_layer(source)
    if other is None or unread & last:
        return ""
    rows = rows_by_name(names, wanted)
    carry_rows(layer, other, rows, getattr(model.config, "initializer_range", 0.02))
    rest = f"; it starts fresh for the other {len(wanted) - len(rows)}" if len(rows) < len(wanted) else ""
    return f"its head knows {len(rows)} of {len(wanted)} answers{rest}"


def load_processor(name: str) -> Any:
    """Tokenizer and Pillow image processor of a model; those of an architecture have no learned vocabulary to match."""
    config = load_config(name)
    family = family_of_type(config.model_type, name)
    if family.generates:
        return _loading(name, lambda source: read_chat_processor(source, family, config, name))
    _ = family.processors  # refuses a family without any: it makes no fresh ones either
    if name in ARCHITECTURES:
        return family.fresh_processor(config)
    return _loading(name, lambda source: read_processor(source, family, config, name))


def _loading(name: str, load: Any) -> Any:
    source = source_of(name)
    try:
        return load(source)
    except InputError as error:
        named = name in str(error) or source in str(error)
        raise error if named else InputError(f"{name}: {error}") from None
    except Exception as error:  # damaged files can raise anything
        edited = "" if isinstance(error, OSError) else "; truncated or edited file?"
        raise InputError(f"{name}: could not be loaded: {first_line(error)}{edited}") from error
