"""Costs of each block, kept and skipped, from a meter that is read where a forward pass enters and leaves the block.

The cost of a plan is additive over blocks, because a block's operations depend on the sizes of its streams and not on
which other blocks run: ``adapted − Σ savings`` over the skipped ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import nn

from ..inserting.block_hooks import block_hooks
from ..inserting.folding import drop_folded
from ..inserting.lora import unwrap_lora
from ..inserting.selection import blocks_of, choose
from ..models.shared_copy import shared_copy
from ..plan import TokenSchedule
from .example_inputs import Inputs
from .generation import DecodeStep, Prefill, generates


@dataclass(frozen=True)
class BlockCosts:
    """Costs of a pass, or of several, in the unit of the meter: G multiply-accumulates or seconds.

    Attributes:
        original: of the model without adapters.
        adapted: with adapters and nothing skipped; LoRA is merged.
        savings: saving of each block, in model order: the cost of the block with its adapters less that of its skip
            adapter.
    """

    original: float
    adapted: float
    savings: dict[str, float]

    def with_skipped(self, names: Iterable[str]) -> float:
        """The cost with adapters and these blocks skipped."""
        return self.adapted - math.fsum(self.savings[name] for name in names)

    def followed_by(self, other: BlockCosts, times: int) -> BlockCosts:
        """The costs of this and, after it, ``times`` those of the other."""
        savings = {name: saved + times * other.savings[name] for name, saved in self.savings.items()}
        return BlockCosts(self.original + times * other.original, self.adapted + times * other.adapted, savings)

    def in_unit(self, unit: float) -> BlockCosts:
        """The costs in another unit, so many times as large."""
        savings = {name: saved / unit for name, saved in self.savings.items()}
        return BlockCosts(self.original / unit, self.adapted / unit, savings)


def bench_copy(model: nn.Module) -> nn.Module:
    """A :func:`shared_copy` in evaluation mode with the costs of a slim model that skips no block.

    Raises:
        InputError: a block was removed, so that it cannot run.
    """
    bench = drop_folded(unwrap_lora(shared_copy(model))).eval()
    choose(bench, ())
    return bench


def passes_of(model: nn.Module, decodes: bool) -> list[nn.Module]:
    """What costs are stated for: the forward pass; of a model that generates text the prefill, and, if it ``decodes``,
    a step after it."""
    if not generates(model):
        return [model]
    prefill = Prefill(model)
    return [prefill, DecodeStep(prefill)] if decodes else [prefill]


def read_blocks(
    bench: nn.Module,
    inputs: Inputs,
    meter: Callable[[], float],
    decodes: bool = False,
    tokens: TokenSchedule | None = None,
) -> list[BlockCosts]:
    """The costs of each of :func:`passes_of` a :func:`bench_copy`.

    They run without block adapters, with them if the model has any, and with every block skipped. ``meter`` returns
    the cost so far. With a schedule of ``tokens``, all but ``original`` is of a model whose image tokens become fewer.
    """
    blocks, passes = blocks_of(bench), passes_of(bench, decodes)
    adapters = {name: block.block_adapters for name, block in blocks.items()}
    for block in blocks.values():
        block.block_adapters = None
    original = adapted = _read(bench, passes, inputs, meter)
    if tokens is not None or any(parts is not None for parts in adapters.values()):
        choose(bench, (), tokens)
        for name, block in blocks.items():
            block.block_adapters = adapters[name]
        adapted = _read(bench, passes, inputs, meter)
    for block in blocks.values():
        block.skipped = True
    skipped = _read(bench, passes, inputs, meter)
    choose(bench, ())
    return [
        BlockCosts(plain, whole, {name: kept[name] - stepped[name] for name in blocks})
        for (plain, _), (whole, kept), (_, stepped) in zip(original, adapted, skipped, strict=True)
    ]


def _read(
    bench: nn.Module, passes: list[nn.Module], inputs: Inputs, meter: Callable[[], float]
) -> list[tuple[float, dict[str, float]]]:
    """The cost of each pass, in total and inside each block."""
    found = []
    for each in passes:
        spent = dict.fromkeys(blocks_of(bench), 0.0)

        def enter(name: str, *given: Any, spent: dict[str, float] = spent) -> None:
            spent[name] -= meter()

        def leave(name: str, *given: Any, spent: dict[str, float] = spent) -> None:
            spent[name] += meter()

        with block_hooks(bench, leave, enter):
            before = meter()
            each(**inputs)
            found.append((meter() - before, spent))
    return found
