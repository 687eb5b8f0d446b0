"""What a model costs: multiply-accumulates of one forward pass, and parameters by group."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from .block_costs import BlockCosts, bench_copy, read_blocks, shared_copy
from .config import SkipConfig
from .errors import InputError
from .families.registry import family_of
from .insertion import blocks_of, insert, parameter_groups, remove_dead_blocks
from .lora import unwrap_lora
from .plan import Plan, check_skipped
from .shapes_only import ShapesOnly


def example_inputs(model: nn.Module, image_size: tuple[int, int], text_length: int, batch: int = 1) -> dict[str, Any]:
    """Random inputs of one size, without padding: ``image_size`` is (height, width) in pixels.

    Raises:
        InputError: the text is longer than the model's position table, or the image not a multiple of its patches.
    """
    family = family_of(model)
    sizes = family.sizes(model.config)
    if not 2 <= text_length <= sizes.longest_text:
        raise InputError(f"text length {text_length} is not in [2, {sizes.longest_text}] tokens")
    patch = sizes.patch_size
    if any(side < patch or side % patch for side in image_size):
        raise InputError(f"image size {image_size[0]}x{image_size[1]}: both sides must be multiples of {patch} pixels")
    generator = torch.Generator().manual_seed(0)
    weight = next(model.parameters())
    ids = torch.randint(5, max(6, sizes.vocab_size), (batch, text_length), generator=generator)
    shape: tuple[int, ...] = (batch, sizes.num_channels, *image_size)
    if isinstance(model, family.model_classes["nlvr2"]):
        shape = (batch, 2, *shape[1:])
    pixels = torch.randn(shape, generator=generator)
    return {
        "input_ids": ids.to(weight.device),
        "attention_mask": torch.ones_like(ids).to(weight.device),
        "pixel_values": pixels.to(weight),
    }


def count_macs(model: nn.Module, inputs: dict[str, Any]) -> float:
    """Multiply-accumulates of one forward pass in G (1e9): half of what torch's FlopCounterMode counts.

    Attention runs unfused meanwhile, because the counter does not know the fused CPU kernel.
    """
    training = model.training
    model.eval()
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(**inputs)
    model.train(training)
    return float(counter.get_total_flops()) / 2e9


def count_blocks(model: nn.Module, inputs: dict[str, Any]) -> BlockCosts:
    """Multiply-accumulates in G of a model with adapters inserted, and what skipping each block saves.

    Goes through the shapes of three forward passes without computing them. ``model`` is not changed.

    Raises:
        InputError: no adapters are inserted, or a block was removed.
    """
    bench = bench_copy(model)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), ShapesOnly(), FlopCounterMode(display=False) as counter:
        flops = read_blocks(bench, inputs, counter.get_total_flops)
    savings = {name: saved / 2e9 for name, saved in flops.savings.items()}
    return BlockCosts(flops.original / 2e9, flops.adapted / 2e9, savings)


def block_savings(model: nn.Module, inputs: dict[str, Any]) -> dict[str, float]:
    """Multiply-accumulates in G that skipping saves, for each block of a model with adapters inserted, in model order.

    Additive: a plan costs what the model costs with nothing skipped less the sum over its blocks.
    """
    return count_blocks(model, inputs).savings


def by_saving(savings: Mapping[str, float]) -> dict[float, list[str]]:
    """Blocks that save the same, by what they save."""
    found: dict[float, list[str]] = {}
    for name, saved in savings.items():
        found.setdefault(saved, []).append(name)
    return found


def count_parameters(model: nn.Module, original: int | None = None) -> dict[str, int]:
    """Parameters by group, the total, and how many are trained."""
    groups = {
        group: sum(parameter.numel() for parameter in parameters.values())
        for group, parameters in parameter_groups(model).items()
    }
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    counts = {"total": sum(groups.values()), "trainable": trainable, **groups}
    return counts if original is None else {"original": original, **counts}


def cost_table(
    model: nn.Module,
    config: SkipConfig,
    skipped: tuple[str, ...],
    image_size: tuple[int, int],
    text_length: int,
) -> dict[str, Any]:
    """Cost of a model without adapters: as it is, with adapters and nothing skipped, and with the plan.

    LoRA is merged at inference, so it adds nothing to ``with_adapters``. ``saved_macs_g`` is what skipping
    each block saves. ``parameters`` are those of the model as it is trained, with adapters for every choice of blocks;
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
