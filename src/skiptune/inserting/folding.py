"""Skip adapters that become a part of kept blocks' weights: apply them while blocks are chosen, fold them at export."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..core.errors import InputError
from ..core.validation import nearest
from ..families.block_kind import Folding
from ..families.registry import family_of
from ..layers.blocks import SkippableBlock
from ..layers.folded import ApplyFolded, FoldedAdapter, UpAndDown, after, before
from ..models.module_names import module_names
from ..plan.block_names import stack_of

#: Stands between the name of a block and the rest of a key, in state dictionaries.
FOLDED = ".skip_adapter."


def attach_folded(model: nn.Module) -> None:
    """Let kept blocks apply the folded adapters of their skipped neighbours, in place.

    After LoRA was added: what is folded is the layer with its LoRA. Blocks without such adapters stay as they are.

    Raises:
        InputError: quantised weights.
    """
    for block in _blocks(model).values():
        if isinstance(block.skip_adapter, FoldedAdapter):
            folding = _folding(model, block)
            layers: list[Any] = [block.get_submodule(layer) for layer in folding.layers]
            if not all(layer.weight.is_floating_point() for layer in layers):  # a layer in LoRA has a weight, too
                raise InputError(
                    "skip_adapter: 'folded': the weights are quantised, so that they cannot take the adapter up; "
                    "use 'none' or 'bottleneck'"
                )
            block.get_submodule(folding.place).register_forward_hook(ApplyFolded(block))


def hand_out_folded(model: nn.Module) -> None:
    """Give every kept block the folded adapters that it applies, from which blocks are skipped now.

    A run of skipped blocks has a kept one before it, or after it, as the family folds. Where there is none (the first
    blocks or the last ones of a stack), skipping passes the stream through.
    """
    blocks = _blocks(model)
    neighbours = skipped_neighbours(model)
    for name, block in blocks.items():
        adapters = [blocks[other].skip_adapter for other in neighbours.get(name, ())]
        block.folded = tuple(adapter for adapter in adapters if isinstance(adapter, FoldedAdapter))


def neighbour_of(model: nn.Module, name: str) -> SkippableBlock | None:
    """The block that applies the folded adapter of the block ``name`` when only that is skipped; ``None``: none."""
    blocks = _blocks(model)
    for other, skipped in skipped_neighbours(model, (name,)).items():
        if skipped:
            return blocks[other]
    return None


def unused(model: nn.Module) -> list[SkippableBlock]:
    """The blocks whose folded adapter no other block applies: those that are kept, and those without a neighbour."""
    blocks = _blocks(model).values()
    applied = {id(adapter) for block in blocks for adapter in block.folded}
    return [
        block
        for block in blocks
        if isinstance(block.skip_adapter, FoldedAdapter) and id(block.skip_adapter) not in applied
    ]


def drop_unused(model: nn.Module) -> None:
    """Remove the folded adapters that no block applies, in place."""
    for block in unused(model):
        block.skip_adapter = None


def fold_skip_adapters(model: nn.Module) -> nn.Module:
    """Make the folded adapters of skipped blocks a part of kept blocks' weights, in place; returns ``model``.

    LoRA is merged before, see :func:`~skiptune.inserting.lora.merge_lora`. Outputs agree to rounding.
    """
    for name, block in _blocks(model).items():
        _fold(model, name, [(each.up.weight, each.down.weight) for each in block.folded])
    return drop_folded(model)


def drop_folded(model: nn.Module) -> nn.Module:
    """Remove folded adapters and what applies them, in place; what they learnt is lost. Returns ``model``."""
    for block in _blocks(model).values():
        folding = family_of(model).kind_of(block).folding
        block.folded = ()
        if isinstance(block.skip_adapter, FoldedAdapter):
            block.skip_adapter = None
        if folding is not None and not block.removed:
            hooks: dict[int, Any] = block.get_submodule(folding.place)._forward_hooks
            for key in [key for key, hook in hooks.items() if isinstance(hook, ApplyFolded)]:
                del hooks[key]
    return model


def fold_linear(model: nn.Module, name: str, matrix: Tensor) -> None:
    """Make a linear map of any rank a part of a kept block's weights, in place, as a folded adapter.

    Args:
        model: with adapters inserted; LoRA is merged.
        name: of the block.
        matrix: ``(width, width)``; ``y = matrix · x``.

    Raises:
        InputError: no such block, or its family folds nothing exactly.
    """
    if name not in _blocks(model):
        raise InputError(f"block {name!r}: unknown{nearest(name, _blocks(model))}")
    one = torch.eye(len(matrix), dtype=torch.float64)
    _fold(model, name, [(matrix.cpu().double() - one, one)])


def fold_saved(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Fold the adapters among saved tensors into a model without them, in place: what :func:`fold_skip_adapters`
    does. Without such names nothing changes."""
    blocks, names = _blocks(model), module_names(model)
    for keeper, skipped in skipped_neighbours(model).items():
        slots = [f"{names[id(blocks[name])]}{FOLDED}" for name in skipped]
        saved = [slot for slot in slots if f"{slot}up.weight" in state]
        _fold(model, keeper, [(state[f"{slot}up.weight"], state[f"{slot}down.weight"]) for slot in saved])


@torch.no_grad()
def _fold(model: nn.Module, name: str, adapters: Sequence[UpAndDown]) -> None:
    """Make the adapters of a block's skipped neighbours, in running order, a part of its weights, in place."""
    if not adapters:
        return
    block = _blocks(model)[name]
    folding = _folding(model, block)
    for layer_name in folding.layers:
        layer: Any = block.get_submodule(layer_name)
        # new tensors: another model may share the memory of the old ones
        if folding.side == "input":
            layer.weight.data = after(layer.weight, adapters).to(layer.weight)
            continue
        layer.weight.data = before(layer.weight, adapters).to(layer.weight)
        if layer.bias is not None:
            layer.bias.data = before(layer.bias, adapters).to(layer.bias)


def folded_layers(model: nn.Module) -> set[str]:
    """Names of the linear layers that adapters of the skipped blocks are folded into, with ``skip_adapter: folded``."""
    config: Any = getattr(model, "skip_config", None)
    if config is None or config.skip_adapter != "folded":
        return set()
    blocks, names = _blocks(model), module_names(model)
    keepers = [blocks[name] for name, skipped in skipped_neighbours(model).items() if skipped]
    return {f"{names[id(block)]}.{layer}" for block in keepers for layer in _folding(model, block).layers}


def skipped_neighbours(model: nn.Module, skipped: Iterable[str] | None = None) -> dict[str, list[str]]:
    """Kept blocks, each with the skipped ones that it would apply folded adapters for, in running order.

    Args:
        model: with skippable blocks.
        skipped: names of the blocks that are skipped; ``None``: those that are now.
    """
    family, blocks = family_of(model), _blocks(model)
    gone = {name for name, block in blocks.items() if block.skipped} if skipped is None else set(skipped)
    found: dict[str, list[str]] = {}
    before: dict[str, str] = {}  # stack → the last kept block
    waiting: dict[str, list[str]] = {}  # stack → skipped blocks since then
    for name, block in blocks.items():
        stack, folding = stack_of(name), family.kind_of(block).folding
        if name not in gone:
            before.pop(stack, None)
            earlier = waiting.pop(stack, [])
            if folding is not None:
                found[name] = earlier if folding.side == "input" else []
                before[stack] = name
        elif folding is not None and folding.side == "input":
            waiting.setdefault(stack, []).append(name)
        elif folding is not None and stack in before:
            found[before[stack]].append(name)
    return found


def _folding(model: nn.Module, block: SkippableBlock) -> Folding:
    folding = family_of(model).kind_of(block).folding
    if folding is None:
        raise InputError(f"{type(block).__name__}: no linear layers of this block could take a linear map up exactly")
    return folding


def _blocks(model: nn.Module) -> dict[str, SkippableBlock]:
    blocks = family_of(model).blocks(model).items()
    return {name: block for name, block in blocks if isinstance(block, SkippableBlock)}
