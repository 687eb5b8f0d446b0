"""Costs of a plan: operations and parameters of the original, the adapted and the slim model."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn

from ..config import SkipConfig
from ..families.registry import family_of
from ..inserting.folding import drop_folded
from ..inserting.insert import insert
from ..inserting.lora import unwrap_lora
from ..inserting.pruning import remove_dead_blocks
from ..inserting.selection import blocks_of
from ..models.shared_copy import shared_copy
from ..plan import Plan, check_skipped
from .example_inputs import example_inputs
from .macs import count_blocks
from .parameters import count_parameters


@dataclass(frozen=True)
class CostTable:
    """Operations and parameters of one forward pass, for one image size and text length.

    Attributes:
        macs_g: multiply-accumulates in G (1e9): ``original``, ``with_adapters`` (nothing skipped) and ``with_plan``.
            LoRA is merged at inference, and skip adapters folded, so they add nothing.
        saved_macs_g: the saving of each block.
        relative_macs: change of the operations by the plan, against the original.
        parameters: by group, of the model as it is trained, with adapters for every choice of blocks.
        parameters_with_plan: of the slim model.
        trained_with_plan: parameters that training with the plan changes.
        image_size: height and width in pixels.
        text_length: in tokens.
        adapters: the adapters in every block, see :class:`skiptune.SkipConfig`.
    """

    macs_g: dict[str, float]
    saved_macs_g: dict[str, float]
    relative_macs: float
    parameters: dict[str, int]
    parameters_with_plan: int
    trained_with_plan: int
    image_size: tuple[int, int]
    text_length: int
    skipped: tuple[str, ...]
    blocks: tuple[str, ...]
    adapters: str


def cost_table(
    model: nn.Module,
    config: SkipConfig,
    skipped: tuple[str, ...],
    image_size: tuple[int, int],
    text_length: int,
) -> CostTable:
    """Cost of a model without adapters: as it is, with adapters and nothing skipped, and with the plan.

    ``model`` is not changed.

    Raises:
        InputError: unknown blocks, all blocks at once, or sizes that the model does not take.
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
    drop_folded(unwrap_lora(slim))
    with_plan = costs.adapted - math.fsum(costs.savings[name] for name in skipped)
    total = sum(parameter.numel() for parameter in model.parameters())
    return CostTable(
        macs_g={"original": costs.original, "with_adapters": costs.adapted, "with_plan": with_plan},
        saved_macs_g=costs.savings,
        relative_macs=with_plan / costs.original - 1,
        parameters=count_parameters(adapted, total),
        parameters_with_plan=count_parameters(slim)["total"],
        trained_with_plan=trained,
        image_size=image_size,
        text_length=text_length,
        skipped=skipped,
        blocks=blocks,
        adapters=config.block_adapter,
    )
