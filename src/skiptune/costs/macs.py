"""Multiply-accumulates of one forward pass."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from .block_costs import BlockCosts, bench_copy, read_blocks
from .example_inputs import Inputs
from .shapes_only import ShapesOnly


def count_macs(model: nn.Module, inputs: Inputs) -> float:
    """Multiply-accumulates of one forward pass in G (1e9): half of what torch's FlopCounterMode counts.

    Attention runs unfused here, because the counter does not know the fused CPU kernel.
    """
    training = model.training
    model.eval()
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(**inputs)
    model.train(training)
    return float(counter.get_total_flops()) / 2e9


def count_blocks(model: nn.Module, inputs: Inputs) -> BlockCosts:
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


def block_savings(model: nn.Module, inputs: Inputs) -> dict[str, float]:
    """Multiply-accumulates in G that skipping saves, for each block of a model with adapters inserted, in model order.

    Savings are additive: a plan's cost is that of the unskipped model less the sum over its blocks.
    """
    return count_blocks(model, inputs).savings


def by_saving(savings: Mapping[str, float]) -> dict[float, list[str]]:
    """Blocks by their saving."""
    found: dict[float, list[str]] = {}
    for name, saved in savings.items():
        found.setdefault(saved, []).append(name)
    return found
