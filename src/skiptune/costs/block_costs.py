"""Costs of each block, kept and skipped, from a meter that is read where a forward pass enters and leaves the block.

The cost of a plan is additive over blocks, because a block's operations depend on the sizes of its streams and not on
which other blocks run: ``adapted − Σ savings`` over the skipped ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from ..inserting.block_hooks import block_hooks
from ..inserting.folding import drop_folded
from ..inserting.lora import unwrap_lora
from ..inserting.selection import blocks_of, choose
from ..models.shared_copy import shared_copy
from .example_inputs import Inputs


@dataclass(frozen=True)
class BlockCosts:
    """Costs of one forward pass, in the unit of the meter: G multiply-accumulates or seconds.

    Attributes:
        original: of the model without adapters.
        adapted: with adapters and nothing skipped; LoRA is merged.
        savings: saving of each block, in model order: the cost of the block with its adapters less that of its skip
            adapter.
    """

    original: float
    adapted: float
    savings: dict[str, float]


def bench_copy(model: nn.Module) -> nn.Module:
    """A :func:`shared_copy` in evaluation mode with the costs of a slim model that skips no block.

    Raises:
        InputError: a block was removed, so that it cannot run.
    """
    bench = drop_folded(unwrap_lora(shared_copy(model))).eval()
    choose(bench, ())
    return bench


def read_blocks(bench: nn.Module, inputs: Inputs, meter: Callable[[], float]) -> BlockCosts:
    """Forward passes of a :func:`bench_copy`: without block adapters, with them if it has any, and every block skipped.

    ``meter`` returns the cost so far.
    """
    blocks = blocks_of(bench)
    adapters = {name: block.block_adapters for name, block in blocks.items()}
    for block in blocks.values():
        block.block_adapters = None
    original, kept = _pass(bench, inputs, meter)
    adapted = original
    if any(parts is not None for parts in adapters.values()):
        for name, block in blocks.items():
            block.block_adapters = adapters[name]
        adapted, kept = _pass(bench, inputs, meter)
    for block in blocks.values():
        block.skipped = True
    _, skipped = _pass(bench, inputs, meter)
    choose(bench, ())
    return BlockCosts(original, adapted, {name: kept[name] - skipped[name] for name in blocks})


def _pass(bench: nn.Module, inputs: Inputs, meter: Callable[[], float]) -> tuple[float, dict[str, float]]:
    """The cost of one forward pass, in total and inside each block."""
    spent = dict.fromkeys(blocks_of(bench), 0.0)

    def enter(name: str, *given: Any) -> None:
        spent[name] -= meter()

    def leave(name: str, *given: Any) -> None:
        spent[name] += meter()

    with block_hooks(bench, leave, enter):
        before = meter()
        bench(**inputs)
        return meter() - before, spent
