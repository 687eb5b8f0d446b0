"""Parameters by group, and which of them are trained."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from ..config import GROUPS
from ..families.registry import family_of
from ..layers.adapters import ParallelAdapter, Prompts
from .lora import is_of_peft


def freeze_body(model: nn.Module) -> None:
    """Train adapters and other added parts, the small parts and the head, and nothing else."""
    for group, parameters in parameter_groups(model).items():
        for parameter in parameters.values():
            parameter.requires_grad_(group != "body")


def parameter_groups(model: nn.Module) -> dict[str, dict[str, nn.Parameter]]:
    """All parameters by group: ``block_adapters`` (also LoRA and the parts of other methods), ``skip_adapters``,
    ``small_parts``, ``head``, ``body``.

    Membership is declared by the adapter modules and by the family's table, not guessed from names.
    """
    family, full = family_of(model), full_name(model)
    of_body = family.of_body(model)
    owner: dict[int, str] = {}
    for block in family.blocks(model).values():
        for group, module in (
            ("block_adapters", getattr(block, "block_adapters", None)),
            ("skip_adapters", getattr(block, "skip_adapter", None)),
        ):
            for parameter in module.parameters() if module is not None else ():
                owner[id(parameter)] = group
    for module in model.modules():
        if isinstance(module, ParallelAdapter | Prompts):
            owner.update({id(parameter): "block_adapters" for parameter in module.parameters()})
    groups: dict[str, dict[str, nn.Parameter]] = {group: {} for group in GROUPS}
    for name, parameter in model.named_parameters():
        if id(parameter) in owner:
            group = owner[id(parameter)]
        elif is_of_peft(name):
            group = "block_adapters"
        elif full(name).startswith(family.small_parts):
            group = "small_parts"
        else:
            group = "body" if of_body(name) else "head"
        groups[group][name] = parameter
    return groups


def full_name(model: nn.Module) -> Callable[[str], str]:
    """From a name in ``model`` to that in a model with a head, as the family's table has names."""
    return partial(family_of(model).full_name, model)


def poolers(model: nn.Module) -> set[str]:
    """Names of the poolers' parameters, a part of the ``small_parts``."""
    family, full = family_of(model), full_name(model)
    return {name for name in parameter_groups(model)["small_parts"] if full(name).startswith(family.poolers)}


def unfreeze(model: nn.Module) -> None:
    """Train everything: full tuning, the baseline for adapters."""
    model.requires_grad_(True)
