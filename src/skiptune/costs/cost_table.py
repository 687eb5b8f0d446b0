"""Costs of a plan: operations and parameters of the original, the adapted and the slim model."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from ..config import SkipConfig
from ..families.registry import family_of
from ..inserting.insert import insert
from ..inserting.lora import unwrap_lora
from ..inserting.pruning import remove_dead_blocks
from ..inserting.selection import blocks_of
from ..models.shared_copy import shared_copy
from ..plan import Plan, check_skipped
from .example_inputs import example_inputs
from .macs import count_blocks
from .parameters import count_parameters


def cost_table(
    model: nn.Module,
    config: SkipConfig,
    skipped: tuple[str, ...],
    image_size: tuple[int, int],
    text_length: int,
) -> dict[str, Any]:
    """Cost of a model without adapters: as it is, with adapters and nothing skipped, and with the plan.

    LoRA is merged at inference, so it adds nothing to ``with_adapters``. ``saved_macs_g`` is the saving of each block.
    ``parameters`` are those of the model as it is trained, with adapters for every choice of blocks;
    ``trained_with_plan`` counts those that the plan trains and ``parameters_with_plan`` those of the slim model.
    ``model`` is not changed.
    """
    family = family_of(model)
    inputs = example_inputs(model, image_size, text_length)
    adapted = insert(shared_copy(model), config)
    blocks = tuple(blocks_of(adapted))
    check_skipped(skipped, blocks)
    costs = count_blocks(adapted, inputs)
    plan = Plan(family.name, blocks, skipped)
    slim = remove_dead_blocks(shared_copy(adapted), plan)
    trained = count_parameters(slim)["trainable"]
    unwrap_lora(slim)
    with_plan = costs.adapted - math.fsum(costs.savings[name] for name in skipped)
    macs = {"original": costs.original, "with_adapters": costs.adapted, "with_plan": with_plan}
    total = sum(parameter.numel() for parameter in model.parameters())
    return {
        "macs_g": macs,
        "saved_macs_g": costs.savings,
        "relative_macs": macs["with_plan"] / macs["original"] - 1,
        "parameters": count_parameters(adapted, total),
        "parameters_with_plan": count_parameters(slim)["total"],
        "trained_with_plan": trained,
        "image_size": list(image_size),
        "text_length": text_length,
        "skipped": list(skipped),
        "blocks": list(blocks),
        "adapters": config.block_adapter,
    }
