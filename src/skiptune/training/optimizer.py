"""The optimizer, by transformers' name, with a learning rate and a weight decay for each group of parameters."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import Trainer, TrainingArguments
from transformers.training_args import OptimizerNames

from ..config import TrainConfig
from ..core.errors import InputError
from ..families.registry import family_of
from ..inserting.parameter_groups import full_name, parameter_groups, poolers


def make_optimizer(model: nn.Module, config: TrainConfig, arguments: TrainingArguments) -> torch.optim.Optimizer:
    """The optimizer of ``arguments`` over the trainable parameters of ``model``."""
    kind, settings = optimizer_class(arguments)
    return kind(optimizer_groups(model, config), **settings)


def optimizer_class(arguments: TrainingArguments) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
    """The class that transformers makes of ``optim``, and its settings.

    Raises:
        InputError: its library is not installed, or a setting of it is not valid.
    """
    name = OptimizerNames(arguments.optim).value
    try:
        kind, settings = Trainer.get_optimizer_cls_and_kwargs(arguments)
        kind([torch.zeros(1, requires_grad=True)], **settings)
    except (ImportError, TypeError, ValueError) as error:
        raise InputError(f"train.optimizer: {name} cannot be used: {error}") from None
    return kind, settings


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
