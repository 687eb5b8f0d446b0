"""ReplaceMe: a linear map in the place of a stretch of blocks, without any training (Shopkhoev et al., 2025).

The map is fitted by least squares to what the feed-forward network of the block before the stretch gives, so that the
stream after that block is the one after the stretch. Then it becomes a part of that network's last layer: the model
has fewer blocks, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from accelerate.utils import send_to_device
from torch import Tensor, nn

from ..config import SearchConfig
from ..core.arguments import expect, expect_batches
from ..core.errors import InputError
from ..families.block_kind import Folding
from ..families.registry import family_of
from ..inserting.folding import fold_linear
from ..inserting.selection import blocks_of, choose
from ..inserting.stream_hooks import real_tokens, stream_hooks
from ..models.evaluation_mode import evaluation_mode
from ..plan import Plan
from ..plan.block_names import stack_of
from ..training.reduced_rank import Moments, ridge_solution
from .feasible_sets import FeasibleSets
from .protected import protected_blocks
from .strategies.replaceme import ReplaceMe
from .strategies.stretches import Measured
from .without_cache import without_cache

_RIDGE = 1e-6  # of the mean square of what the map reads


def replace_me(model: nn.Module, batches: Sequence[Mapping[str, Any]], num_skip: int) -> Plan:
    """Choose a stretch of ``num_skip`` blocks, and put a linear map in its place. In place; nothing is trained.

    The stretch is the one with the smallest cosine distance between the streams before and after it. The first block of
    a stack is never in it, because the map goes into a block before. ``skiptune.export`` with the plan then writes the
    slim model.

    Args:
        model: with ``SkipConfig(block_adapter="none", skip_adapter="none")`` inserted.
        batches: of the model's inputs, some hundred examples in all.
        num_skip: how many blocks.

    Returns:
        The plan; its blocks are skipped from now on.

    Raises:
        InputError: the model has adapters, or folds no map exactly into the output of its feed-forward networks (Gemma
            2 and 3, METER, BridgeTower); there are no batches, or no such stretch.
    """
    expect("replace_me", model=(model, nn.Module), num_skip=(num_skip, int))
    names = tuple(blocks_of(model))
    _check(model)
    batches = batches if hasattr(batches, "__len__") else list(batches)  # they are read twice
    strategy = _strategy(model, names, num_skip)
    measured = Measured(strategy, model, names)
    choose(model, ())
    with stream_hooks(model, measured.watch):
        _run(model, batches)
    chosen = strategy.choose_from(measured)
    place = names[chosen[0] - 1]
    fold_linear(model, place, _fitted(model, place, names[chosen[-1]], batches))
    preferences = dict(zip(names, strategy.preferences, strict=True))
    plan = Plan(family_of(model).name, names, strategy.chosen(), strategy.name, preferences)
    choose(model, plan)
    return plan


def _check(model: nn.Module) -> None:
    config: Any = getattr(model, "skip_config", None)
    if config is None or config.block_adapter != "none" or config.skip_adapter != "none":
        raise InputError(
            "replace_me trains nothing, so this model's adapters would stay as they are; insert "
            'SkipConfig(block_adapter="none", skip_adapter="none")'
        )


def _strategy(model: nn.Module, names: tuple[str, ...], num_skip: int) -> ReplaceMe:
    """The strategy over stretches that have a block before them which takes the map up."""
    family, protected = family_of(model), protected_blocks(model, SearchConfig())
    fits = {name: _folding(family.kind_of(block).folding) for name, block in blocks_of(model).items()}
    if not any(fits.values()):
        raise InputError(
            f"{family.name}: what its feed-forward networks give does not go into the stream as it is, so that no "
            "linear map can be a part of them"
        )
    free = [
        place > 0 and stack_of(names[place - 1]) == stack_of(name) and fits[name] and name not in protected
        for place, name in enumerate(names)
    ]
    if not 0 < num_skip <= sum(free):
        raise InputError(f"num_skip: {num_skip} is not in [1, {sum(free)}], the blocks that can be replaced")
    strategy = ReplaceMe(FeasibleSets(tuple(map(float, free)), float(num_skip)), SearchConfig(), 0, names)
    strategy.check()
    return strategy


def _folding(folding: Folding | None) -> bool:
    return folding is not None and folding.side == "output"


@torch.no_grad()
def _fitted(model: nn.Module, place: str, last: str, batches: Sequence[Mapping[str, Any]]) -> Tensor:
    """The matrix ``T`` with the smallest ``‖T m + a − y‖²`` over all tokens, ``(width, width)``: ``m`` is what the
    feed-forward network of block ``place`` gives, ``a + m`` the stream after it, ``y`` that after block ``last``."""
    block = blocks_of(model)[place]
    kind = family_of(model).kind_of(block)
    moments, latest = Moments(kind.width(model.config), next(block.parameters()).device), dict[str, Tensor]()

    def keep(module: nn.Module, given: Any, output: Tensor) -> None:
        latest["m"] = output

    def watch(name: str, before: Tensor, after: Tensor, mask: Tensor | None) -> None:
        if name == place:
            latest["a"] = after - latest["m"]
        elif name == last:
            moments.add(*(real_tokens(stream, mask) for stream in (latest["m"], after - latest["a"])))

    hook = block.get_submodule(cast(Folding, kind.folding).place).register_forward_hook(keep)
    with hook, stream_hooks(model, watch):
        _run(model, batches)
    return ridge_solution(moments.uu, moments.ur, _RIDGE).T


@torch.no_grad()
def _run(model: nn.Module, batches: Sequence[Mapping[str, Any]]) -> None:
    device = next(model.parameters()).device
    with evaluation_mode(model), without_cache(model):
        for batch in expect_batches("replace_me", batches):
            model(**send_to_device(dict(batch), device))
