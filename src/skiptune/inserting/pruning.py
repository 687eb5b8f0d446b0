"""Remove skipped blocks from a model, merge LoRA and fold linear skip adapters."""

from __future__ import annotations

from torch import nn

from ..plan import Plan
from .folding import drop_unused, fold_skip_adapters
from .lora import merge_lora
from .selection import blocks_of, check_plan, choose


def remove_dead_blocks(model: nn.Module, plan: Plan) -> nn.Module:
    """Remove the weights of skipped blocks and unused adapters, in place; outputs stay those of :func:`choose`
    with the same plan, bit for bit. Returns ``model``.

    Raises:
        InputError: the plan is of another family or of a model with other blocks.
    """
    check_plan(model, plan)
    choose(model, plan)
    for name, block in blocks_of(model).items():
        if name in plan.skipped:
            block.remove_weights()
        else:
            block.skip_adapter = None
    drop_unused(model)
    return model


def prune(model: nn.Module, plan: Plan) -> nn.Module:
    """:func:`remove_dead_blocks`, then merge LoRA and fold linear skip adapters into the kept blocks: the slim model,
    in place.

    Merging rounds differently from adding, so with either outputs agree to rounding only. Returns ``model``.
    """
    remove_dead_blocks(model, plan)
    merge_lora(model)
    return fold_skip_adapters(model)
