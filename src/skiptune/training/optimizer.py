"""The optimizer: AdamW, with a learning rate and a weight decay for each group of parameters."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..config import TrainConfig
from ..families.registry import family_of
from ..inserting.parameter_groups import full_name, parameter_groups, poolers

_BETAS, _EPSILON = (0.9, 0.98), 1e-8


def adamw(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW (0.9, 0.98) over the trainable parameters of ``model``."""
    return torch.optim.AdamW(optimizer_groups(model, config), lr=config.learning_rate, betas=_BETAS, eps=_EPSILON)


def optimizer_groups(model: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Trainable parameters with their learning rate and weight decay.

    Poolers are apart from the small parts only where their rate is another one, so that the order of parameters, by
    which checkpoints keep the optimizer's state, does not depend on more.
    """
    found: dict[tuple[int, bool, float], dict[str, Any]] = {}
    factors = dict[str, float](config.learning_rate_factors.items())
    apart, exempt = poolers(model), _exempt(model, config)
    for place, (group, parameters) in enumerate(parameter_groups(model).items()):
        usual = factors.get(group, 1.0)
        for name, parameter in parameters.items():
            factor = factors.get("poolers", usual) if name in apart else usual
            decay = 0.0 if name in exempt else config.weight_decay
            if parameter.requires_grad:
                entry: dict[str, Any] = {"params": [], "lr": config.learning_rate * factor, "weight_decay": decay}
                found.setdefault((place, factor != usual, -decay), entry)["params"].append(parameter)
    return [found[key] for key in sorted(found)]


def _exempt(model: nn.Module, config: TrainConfig) -> set[str]:
    """Names of the parameters without weight decay, see :attr:`TrainConfig.decayed`."""
    if config.decayed == "matrices":
        return {name for name, parameter in model.named_parameters() if parameter.ndim <= 1}
    decayed, full, groups = family_of(model).decayed_norms, full_name(model), parameter_groups(model)
    own = {**groups["body"], **groups["small_parts"]}
    norms = {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, nn.LayerNorm) and not full(name).startswith(decayed)
    }
    biases = {name for name, _ in model.named_parameters() if name.rpartition(".")[2].endswith("bias")}
    return biases | (norms & own.keys())
