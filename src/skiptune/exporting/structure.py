"""Build a slim model from its files: first the structure without memory for weights, then the memory-mapped weights.

Skipped blocks are removed from the structure before weights are assigned, so they are neither allocated nor read.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from ..core.errors import InputError, first_line
from ..core.state_dicts import refuse_misfit, shapes_of
from ..inserting.folding import FOLDED, fold_saved
from ..inserting.insert import insert
from ..inserting.lora import LORA, fold_lora, name_in_lora
from ..inserting.parameter_groups import parameter_groups
from ..inserting.pruning import remove_dead_blocks
from ..models.architectures import ARCHITECTURES
from ..models.construction import construction
from ..models.fingerprint import fingerprint
from ..models.loading import load_config, load_model, load_pruned
from ..models.tied_weights import with_tied, without_tied
from ..models.without_weights import parameters_on_meta
from ..plan import Plan
from .manifest import SAMPLE, Manifest


def load_standalone(manifest: Manifest, state: dict[str, Tensor]) -> PreTrainedModel:
    """The model whose every weight is in ``state``.

    Raises:
        InputError: the configuration describes no model, or the weights are those of another.
    """
    model = model_without_weights(manifest)
    with parameters_on_meta():
        _take_out(model, manifest)
    state = with_tied(model, state)
    refuse_misfit("the weights do not fit", shapes_of(model.state_dict()), shapes_of(state))
    model.load_state_dict(state, strict=True, assign=True)
    with construction():
        model.tie_weights()
    return model


def check_rebuilt(model_class: type[PreTrainedModel], slim: PreTrainedModel, plan: Plan) -> None:
    """Refuse a slim model whose class does not make it again from its configuration, as loading does.

    Raises:
        InputError: says what the class raises, or which weights differ.
    """
    config, name = copy.deepcopy(slim.config), model_class.__name__
    try:
        with construction(), parameters_on_meta():
            made = model_class(config)
    except Exception as error:  # a class of the user's own can raise anything
        raise InputError(
            f"{name}: cannot be made of its configuration alone, as loading does: {first_line(error)}"
        ) from None
    with parameters_on_meta():
        insert(made, slim.skip_config, merged=True)
        remove_dead_blocks(made, plan)
    found, wanted = shapes_of(made.state_dict()), shapes_of(slim.state_dict())
    refuse_misfit(f"{name}: made of its configuration alone, as loading does, it has other weights", found, wanted)


def model_without_weights(manifest: Manifest) -> PreTrainedModel:
    """The model that adapters were inserted into, its parameters on the meta device; buffers are there.

    Raises:
        InputError: no model can be built from its configuration.
    """
    config, model_class = manifest.config, manifest.model_class
    try:
        with construction(), parameters_on_meta():
            return model_class(config)
    except Exception as error:  # an edited configuration can raise anything
        raise InputError(f"no model can be built from base_config: {first_line(error)}; edited?") from None


def load_on_base(manifest: Manifest, state: dict[str, Tensor], base: str | None, verify: bool) -> PreTrainedModel:
    """The model whose trained weights are in ``state`` and whose frozen ones are its base's, see
    :func:`refuse_other_base`.

    Raises:
        InputError: the base cannot be read, or is not the one that it was trained on.
    """
    name = base or manifest.base
    model = _read_base(name, manifest, set(state))
    frozen = {key: value for key, value in without_tied(model, model.state_dict()).items() if key not in state}
    wrapped = {key.partition(LORA)[0] for key in state if LORA in key}
    refuse_other_base(manifest, {name_in_lora(key, wrapped): value for key, value in frozen.items()}, name, verify)
    folded = manifest.skip_config.skip_adapter == "folded"
    plain = {key: value for key, value in state.items() if LORA not in key and not (folded and FOLDED in key)}
    shapes = shapes_of(model.state_dict())
    trained = {key for group, each in parameter_groups(model).items() if group != "body" for key in each}
    own = {key: shape for key, shape in shapes.items() if key in trained or key in plain}
    refuse_misfit(f"the weights do not fit {name}", own, shapes_of(plain))
    model.load_state_dict(plain, strict=False, assign=True)
    fold_lora(model, state, manifest.skip_config)
    if folded:
        fold_saved(model, state)
    return model


def refuse_other_base(manifest: Manifest, frozen: Mapping[str, Tensor], name: str, verify: bool) -> None:
    """Refuse a base whose ``frozen`` weights are not those trained on; a few numbers of each tell, or ``verify`` all.

    Raises:
        InputError: gives both fingerprints.
    """
    quick = not verify and manifest.base_sample is not None
    expected = manifest.base_sample if quick else manifest.base_fingerprint
    found = fingerprint(frozen.items(), SAMPLE if quick else None)
    if found != expected:
        raise InputError(f"{name}: not the base it was trained on; expected fingerprint {expected}, found {found}")


def _read_base(name: str, manifest: Manifest, given: set[str]) -> PreTrainedModel:
    """The kept blocks of the base; parameters named in ``given`` may be missing there."""
    base_config = load_config(name)
    changes = config_changes(manifest.base_config, base_config.to_dict())
    if name in ARCHITECTURES:  # an architecture has no file: its weights are drawn as in training
        model = load_model(name, manifest.model_class, quiet=True, **changes)
        _take_out(model, manifest)
        return model
    model, unread = load_pruned(
        name, base_config, manifest.model_class, lambda model: _take_out(model, manifest), **changes
    )
    if lost := sorted(unread - given):
        raise InputError(f"{name}: lacks {len(lost)} frozen weights or has them in other sizes: {lost[:3]}")
    return model


def _take_out(model: PreTrainedModel, manifest: Manifest) -> None:
    """Insert the adapters, those that can be merged left out, and remove the skipped blocks. In place."""
    insert(model, manifest.skip_config, merged=True)
    remove_dead_blocks(model, manifest.skipping)


def config_changes(trained: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """The fields in which the configuration in training differs from the base's, without its encoders' sizes."""
    fields = sorted(trained.keys() - {"architectures", "dtype", "transformers_version", "_name_or_path"})
    changes = {name: trained[name] for name in fields if trained[name] != base.get(name)}
    changes = {name: value for name, value in changes.items() if not isinstance(value, dict)}
    labels = {int(label): text for label, text in trained["id2label"].items()}
    return {**changes, "num_labels": len(labels), "id2label": labels, "label2id": trained["label2id"]}
