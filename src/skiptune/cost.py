"""What a model costs: multiply-accumulates of one forward pass, and parameters by group."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from .config import Budget, SkipConfig
from .errors import InputError
from .families.registry import family_of
from .insertion import blocks_of, insert, parameter_groups, prune, remove_dead_blocks
from .plan import Plan, check_skipped


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

    LoRA is merged at inference, so it adds nothing to ``with_adapters``. ``parameters`` are those of the model as it is
    trained, with adapters for every choice of blocks; ``trained_with_plan`` counts those that the plan trains and
    ``parameters_with_plan`` those of the slim model. ``model`` is not changed.
    """
    original = copy.deepcopy(model)
    family = family_of(original)
    family.adopt(original)
    inputs = example_inputs(original, image_size, text_length)
    adapted = insert(copy.deepcopy(model), config)
    blocks = tuple(blocks_of(adapted))
    check_skipped(skipped, blocks)
    plan = Plan(family.name, blocks, skipped)
    slim = remove_dead_blocks(copy.deepcopy(adapted), plan)
    trained = count_parameters(slim)["trainable"]
    prune(slim, plan)
    unskipped = prune(copy.deepcopy(adapted), Plan(family.name, blocks, ()))
    macs = {
        "original": count_macs(original, inputs),
        "with_adapters": count_macs(unskipped, inputs),
        "with_plan": count_macs(slim, inputs),
    }
    total = sum(parameter.numel() for parameter in original.parameters())
    return {
        "macs_g": macs,
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


def blocks_to_skip(model: nn.Module, budget: Budget, inputs: dict[str, Any]) -> int:
    """The number of blocks a budget asks for on a model with adapters inserted.

    Counted on the model's first blocks. All blocks of ViLT cost the same; METER's first are the text layers, which save
    least, so that a plan with image layers in it saves more than asked for.

    Raises:
        InputError: as many blocks as the model has, or a reduction that no number of skipped blocks reaches.
    """
    names = tuple(blocks_of(model))
    if budget.num_skip is not None:
        if budget.num_skip >= len(names):
            raise InputError(f"num_skip: {budget.num_skip} of {len(names)} blocks; at least one must be kept")
        return budget.num_skip
    reduction = budget.macs or 0.0
    family = family_of(model).name
    plain = prune(copy.deepcopy(model), Plan(family, names, ()))
    for block in blocks_of(plain).values():
        block.block_adapters = None
    original = count_macs(plain, inputs)
    reached = original
    for count in range(len(names)):
        slim = prune(copy.deepcopy(model), Plan(family, names, names[:count]))
        reached = count_macs(slim, inputs)
        if reached <= (1 + reduction) * original:
            return count
    best = reached / original - 1
    raise InputError(
        f"macs: {reduction} cannot be met; skipping {len(names) - 1} of {len(names)} blocks gives {best:.3f}"
    )
