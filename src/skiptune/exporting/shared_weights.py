"""Build a slim model on frozen weights that are in memory already: only trained weights are read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from transformers import PreTrainedModel

from ..core.errors import InputError
from ..core.state_dicts import refuse_misfit, shapes_of
from ..inserting.insert import insert
from ..inserting.pruning import remove_dead_blocks
from ..models.construction import construction
from ..models.tied_weights import with_tied, without_tied
from ..models.without_weights import parameters_on_meta
from .manifest import Manifest
from .structure import model_without_weights, refuse_other_base


def slim_on_shared(
    manifest: Manifest,
    weights: Path,
    base: Mapping[str, nn.Parameter],
    buffers: Mapping[str, Tensor],
    base_name: str,
) -> PreTrainedModel:
    """The modules of a slim model, ready for inference; frozen parameters are the objects in ``base``, not copies.

    LoRA stays unmerged: merging would change weights that are shared.

    Args:
        manifest: of the slim model.
        weights: the file of its tensors.
        base: frozen parameters by their names before adapters were inserted.
        buffers: of the base; equal ones are shared too.
        base_name: what messages call it.

    Raises:
        InputError: the file does not fit, or it was trained on another base.
    """
    model = model_without_weights(manifest)
    before = {id(value): (name, value) for name, value in model.named_parameters()}  # LoRA will change names
    with parameters_on_meta():
        insert(model, manifest.skip_config)
    remove_dead_blocks(model, manifest.skipping)
    wanted: dict[str, Tensor] = without_tied(model, model.state_dict(keep_vars=True))
    device = next(iter(base.values())).device
    with safe_open(weights, framework="pt") as file:
        stored = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        stored = without_tied(model, stored)  # an older version may have written both names
        frozen = _shared_names(model, manifest.form, stored)
        sources = {name: before[id(wanted[name])][0] for name in frozen if id(wanted[name]) in before}
        shared = {name: base[source] for name, source in sources.items() if source in base}
        refuse_misfit(f"the weights do not fit {base_name}", shapes_of(wanted), {**stored, **shapes_of(shared)})
        _refuse_other_base(manifest, shared, file, base_name)
        # copies in memory of their own, as skiptune.load makes them
        own = {name: file.get_tensor(name).clone().to(device) for name in stored if name not in shared}
    model.load_state_dict(with_tied(model, {**shared, **own}), strict=True, assign=True)
    with construction():
        model.tie_weights()
    _share_buffers(model, buffers, device)
    model.skip_config, model.manifest = manifest.skip_config, manifest
    model.requires_grad_(False)
    return model.eval()


def _shared_names(model: nn.Module, form: str, stored: Collection[str]) -> list[str]:
    """Names of the weights from the base: those that an adapters-only file lacks, or those that were frozen in a
    stand-alone one."""
    if form == "adapters":
        return [name for name in without_tied(model, model.state_dict()) if name not in stored]
    return [name for name, value in model.named_parameters() if not value.requires_grad]


def _refuse_other_base(manifest: Manifest, shared: Mapping[str, Tensor], file: Any, base_name: str) -> None:
    """Refuse a base with other values: compared with the weights of a stand-alone file, or with the fingerprint of the
    other form."""
    if manifest.form == "adapters":
        refuse_other_base(manifest, shared, base_name, verify=True)
        return
    other = [name for name, value in shared.items() if not torch.equal(file.get_tensor(name).to(value.device), value)]
    if other:
        raise InputError(
            f"{base_name}: not the base it was trained on; {len(other)} of {len(shared)} frozen weights differ: "
            f"{other[:3]}"
        )


def _share_buffers(model: nn.Module, buffers: Mapping[str, Tensor], device: torch.device) -> None:
    """Put the base's buffers in place of equal ones, and the others on its device."""
    for name, value in list(model.named_buffers()):
        own, shared = value.to(device), buffers.get(name)
        same = shared is not None and shared.dtype == own.dtype and torch.equal(shared, own)
        parent, _, child = name.rpartition(".")
        model.get_submodule(parent)._buffers[child] = shared if same else own
