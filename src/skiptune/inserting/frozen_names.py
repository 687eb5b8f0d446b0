"""Which weights of a model are still those of its base."""

from __future__ import annotations

from typing import Any

from torch import nn

from ..families.registry import family_of
from ..models.module_names import module_names
from .folding import folded_layers
from .parameter_groups import parameter_groups
from .selection import blocks_of


def frozen_names(model: nn.Module) -> set[str]:
    """Names of the parameters that were not trained.

    In a loaded slim model nothing is trained; what was frozen in training is told by the rules of training: the body,
    without the layers that LoRA was merged or skip adapters folded into.
    """
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    if len(frozen) < len(list(model.parameters())):
        return frozen
    merged = _targets_of_lora(model) | folded_layers(model)
    return {name for name in parameter_groups(model)["body"] if name.rpartition(".")[0] not in merged}


def _targets_of_lora(model: Any) -> set[str]:
    """Names of the layers that LoRA was merged into."""
    if model.skip_config.block_adapter != "lora":
        return set()
    family, names = family_of(model), module_names(model)
    blocks = blocks_of(model).values()
    return {f"{names[id(block)]}.{layer}" for block in blocks for layer in family.kind_of(block).lora_targets}
