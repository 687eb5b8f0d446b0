"""Multiply-accumulates of one forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ..inserting.selection import choose
from ..models.evaluation_mode import evaluation_mode
from ..plan import TokenSchedule
from .block_costs import BlockCosts, bench_copy, passes_of, read_blocks
from .example_inputs import Inputs
from .shapes_only import ShapesOnly

#: Operations that torch counts for a G of multiply-accumulates.
FLOPS = 2e9


def count_macs(model: nn.Module, inputs: Inputs) -> float:
    """Multiply-accumulates of one forward pass in G (1e9): half of what torch's FlopCounterMode counts.

    Attention runs unfused here, because the counter does not know the fused CPU kernel; so what a causal mask hides
    counts too. A decoder's head counts at every position, unless ``inputs`` has ``logits_to_keep``.
    """
    counting = FlopCounterMode(display=False)
    with evaluation_mode(model), torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counting as counter:
        model(**inputs)
    return float(counter.get_total_flops()) / FLOPS


def count_blocks(
    model: nn.Module, inputs: Inputs, decode_steps: int = 0, tokens: TokenSchedule | None = None
) -> BlockCosts:
    """Multiply-accumulates in G of a model with adapters inserted, and what skipping each block saves.

    They are those of a forward pass; of a model that generates text, those of the prefill, whose head gives the logits
    of the last position, and ``decode_steps`` after it. With a schedule of ``tokens``, costs and savings are those of
    the model whose image tokens become fewer; ``original`` is not. Goes through the shapes of three passes without
    computing them. ``model`` is not changed.

    Raises:
        InputError: no adapters are inserted, or a block was removed.
    """
    first, *steps = count_passes(model, inputs, decode_steps > 0, tokens)
    return first.followed_by(steps[0], decode_steps) if steps else first


def count_passes(
    model: nn.Module, inputs: Inputs, decodes: bool, tokens: TokenSchedule | None = None
) -> list[BlockCosts]:
    """As :func:`count_blocks`, of each pass by itself: the first, and, if a model generates text and ``decodes``, the
    first step after it, when the cache holds the prompt."""
    bench = bench_copy(model)
    with counted() as flops:
        return [costs.in_unit(FLOPS) for costs in read_blocks(bench, inputs, flops, decodes, tokens)]


def plan_counter(
    model: nn.Module, inputs: Inputs, decode_steps: int = 0
) -> Callable[[Iterable[str], TokenSchedule | None], float]:
    """What counts a plan's multiply-accumulates in G, from the names of its skipped blocks and its token schedule.

    As :func:`count_blocks`, of one plan at a time and in a third of its time.

    Raises:
        InputError: no adapters are inserted, or a block was removed.
    """
    bench = bench_copy(model)
    passes = passes_of(bench, decode_steps > 0)

    def count(skipped: Iterable[str], tokens: TokenSchedule | None) -> float:
        choose(bench, skipped, tokens)
        found = []
        with counted() as flops:
            for each in passes:
                before = flops()
                each(**inputs)
                found.append((flops() - before) / FLOPS)
        return found[0] + decode_steps * sum(found[1:])

    return count


@contextmanager
def counted() -> Iterator[Callable[[], float]]:
    """Context in which passes go through the shapes only; gives what counts their operations so far, two for each
    multiply-accumulate."""
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), ShapesOnly() as shapes:
        yield lambda: shapes.flops


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
