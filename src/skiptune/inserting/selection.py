"""Find the skippable blocks of a model, and choose which of them run."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from ..core.errors import InputError
from ..families.registry import family_of
from ..layers.blocks import SkippableBlock
from ..plan import Plan, check_skipped
from .folding import hand_out_folded


def blocks_of(model: nn.Module) -> dict[str, SkippableBlock]:
    """Skippable blocks by name, in model order.

    Raises:
        InputError: the model is of no supported family, or :func:`insert` was not called.
    """
    blocks = family_of(model).blocks(model)
    found = {name: block for name, block in blocks.items() if isinstance(block, SkippableBlock)}
    if len(found) < len(blocks) or not found:
        raise InputError("this model has no skippable blocks yet; call skiptune.insert(model, config) first")
    return found


def choose(model: nn.Module, skipped: Iterable[str]) -> None:
    """Skip exactly the blocks named ``skipped`` from now on; nothing is removed.

    Raises:
        InputError: not a list of names, an unknown block, all blocks at once, or a removed block that should run again.
    """
    if isinstance(skipped, str) or not isinstance(skipped, Iterable):
        raise InputError(f"skipped: {skipped!r} is not a list of block names, e.g. a plan's skipped")
    blocks = blocks_of(model)
    wanted = tuple(skipped)
    check_skipped(wanted, tuple(blocks))
    gone = [name for name, block in blocks.items() if block.removed and name not in wanted]
    if gone:
        raise InputError(f"blocks {', '.join(gone)} were removed from this model and cannot run again")
    for name, block in blocks.items():
        block.skipped = name in wanted
    hand_out_folded(model)


def skipped_blocks(model: nn.Module) -> tuple[str, ...]:
    """Names of the blocks that are skipped at present."""
    return tuple(name for name, block in blocks_of(model).items() if block.skipped)


def check_plan(model: nn.Module, plan: Plan) -> None:
    """Refuse a plan that was made for another model.

    Raises:
        InputError: it is no plan, or that of another family or of a model with other blocks.
    """
    if not isinstance(plan, Plan):
        raise InputError(f"plan: {plan!r} is not a Plan; skiptune.Plan.load reads one from a file")
    family, blocks = family_of(model).name, tuple(blocks_of(model))
    if plan.family != family or plan.blocks != blocks:
        raise InputError(
            f"the plan is for a {plan.family} model with {len(plan.blocks)} blocks, "
            f"this is a {family} model with {len(blocks)}"
        )
