"""Evaluate several subnetworks on one batch, and run only once what they have in common.

A block's output depends only on the batch, on the blocks before it, on the folded skip adapters that it applies for its
neighbours, and on how image tokens become fewer before it. So subnetworks with the same choices for the first blocks
share their outputs. Written in running order, the choices of all subnetworks form a tree, and every edge of it is run
once. Everything below the first block (ViLT's embeddings, the encoders of METER and BridgeTower, 58 % of METER's work)
is run once for all of them. Outputs are the same tensors as a plain evaluation computes, so losses are equal bit for
bit.

Models change some outputs in place (Qwen2.5-VL that of its image tower), so an output that is used again is a copy.
A decoder's cache would have no entries of blocks that are not run again, so none is made.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias, TypeVar

import torch
from torch import nn

from ..families.registry import family_of
from ..inserting.selection import blocks_of, choose, chosen_tokens, skipped_blocks
from ..layers.blocks import SkippableBlock
from ..layers.folded import FoldedAdapter
from ..layers.token_reduction import TokenReduction
from ..plan import TokenSchedule
from .without_cache import without_cache

T = TypeVar("T")
_Choice: TypeAlias = tuple[bool, tuple[FoldedAdapter, ...], TokenReduction | None, bool]


class PrefixCache:
    """Cached outputs for a batch: of the blocks along the path of the last subnetwork, and of the modules below the
    blocks.

    Only one path is kept, so memory does not grow with the number of subnetworks; :func:`evaluate_each` visits them in
    an order in which no dropped output is needed again.

    Attributes:
        path: for every block run by the last forward pass, in order: its name, whether it was skipped, which folded
            skip adapters it applied, how image tokens became fewer before it and whether they passed it unchanged, its
            output.
        block_runs: how often each block was computed, not skipped and not taken from the path.
    """

    def __init__(self) -> None:
        self.path: list[tuple[str, _Choice, Any]] = []
        self.block_runs: Counter[str] = Counter()
        self._place = 0
        self._below: list[Any] = []
        self._below_place = 0

    def begin(self) -> None:
        """Another forward pass on the same batch starts."""
        self._place = self._below_place = 0

    def block(self, name: str, block: SkippableBlock, forward: Callable[..., Any]) -> Callable[..., Any]:
        """``forward`` of a block, run only where the path so far differs from the last one."""

        def run(*args: Any, **kwargs: Any) -> Any:
            place, self._place = self._place, self._place + 1
            choice = (block.skipped, block.folded, block.reduction, block.frozen)
            if place < len(self.path) and self.path[place][:2] == (name, choice):
                return copy.deepcopy(self.path[place][2])
            del self.path[place:]
            output = forward(*args, **kwargs)
            self.block_runs[name] += not block.skipped
            self.path.append((name, choice, copy.deepcopy(output)))
            return output

        return run

    def below(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        """``forward`` of a module that depends on no block's output, run in the first pass only."""

        def run(*args: Any, **kwargs: Any) -> Any:
            place, self._below_place = self._below_place, self._below_place + 1
            if place < len(self._below):
                return copy.deepcopy(self._below[place])
            output = forward(*args, **kwargs)
            self._below.append(copy.deepcopy(output))
            return output

        return run

    def order(self) -> list[str]:
        """The blocks' names in the order they first run in."""
        return list(dict.fromkeys(name for name, *_ in self.path))


@contextmanager
def prefix_cache(model: nn.Module) -> Iterator[PrefixCache]:
    """Within this context ``model`` runs one batch only, and forward passes reuse outputs of common first choices."""
    blocks = blocks_of(model)
    cache = PrefixCache()
    changed: list[tuple[nn.Module, Any]] = []

    def change(module: nn.Module, forward: Callable[..., Any]) -> None:
        changed.append((module, vars(module).get("forward")))  # accelerate's, in a model on several devices
        module.forward = forward

    try:
        for name, block in blocks.items():
            change(block, cache.block(name, block, block.forward))
        for module in family_of(model).below(model):
            change(module, cache.below(module.forward))
        with without_cache(model):
            yield cache
    finally:
        for module, own in changed:
            del module.forward
            if own is not None:
                module.forward = own


@torch.no_grad()
def evaluate_each(
    model: nn.Module,
    skipped: Sequence[Sequence[str]],
    run: Callable[[], T],
    block_runs: Counter[str] | None = None,
    tokens: Sequence[TokenSchedule | None] | None = None,
) -> Iterator[tuple[int, T]]:
    """What ``run`` gives with each of the sets of blocks ``skipped``, in the model's present mode.

    Yields numbers of sets and results, in an order that shares most.

    Args:
        model: whose blocks are skipped.
        skipped: sets of names of blocks.
        run: runs ``model`` on one batch, always the same one.
        block_runs: counts how often each block was computed.
        tokens: where image tokens become fewer with each set; ``None``: nowhere.
    """
    before, schedules = (skipped_blocks(model), chosen_tokens(model)), tokens or [None] * len(skipped)
    choices = [_choices(names, schedule) for names, schedule in zip(skipped, schedules, strict=True)]
    # those with a schedule first: what is below the blocks then has all patches, also the padding
    waiting = sorted(range(len(skipped)), key=lambda number: schedules[number] is None)
    with prefix_cache(model) as cache:
        while waiting:
            number = waiting.pop(0)
            choose(model, skipped[number], schedules[number])
            cache.begin()
            yield number, run()
            # depth first through the tree of choices, starting at this one
            waiting.sort(key=partial(_differences, choices, number, cache.order()))
            if block_runs is not None:
                block_runs.update(cache.block_runs)
            cache.block_runs.clear()
    choose(model, *before)


def _choices(skipped: Sequence[str], tokens: TokenSchedule | None) -> Mapping[str, object]:
    """What a subnetwork chooses at the blocks where it chooses anything: to skip it, how many tokens go on, whether
    those of images pass it unchanged."""
    kept, frozen = ({}, ()) if tokens is None else (tokens.keep, tokens.frozen)
    return {name: (name in skipped, kept.get(name), name in frozen) for name in (*skipped, *kept, *frozen)}


def _differences(choices: Sequence[Mapping[str, object]], one: int, order: Sequence[str], other: int) -> list[bool]:
    neither = (False, None, False)
    return [choices[one].get(name, neither) != choices[other].get(name, neither) for name in order]


def block_runs(skipped: Sequence[Sequence[str]], order: Sequence[str]) -> int:
    """Number of kept blocks that run when subnetworks share their common first choices: the edges of kept blocks in the
    tree of choices, in running order ``order``. Plain evaluation runs ``len(skipped) · kept`` of them.
    """
    paths = [tuple(name in blocks for name in order) for blocks in skipped]
    edges = {path[: place + 1] for path in paths for place in range(len(order)) if not path[place]}
    return len(edges)
