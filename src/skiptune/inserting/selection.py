"""Find the skippable blocks of a model, and choose which of them run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from torch import nn

from ..config.way import Way
from ..core.arguments import expect
from ..core.errors import InputError
from ..families.registry import family_of
from ..layers.blocks import SkippableBlock
from ..layers.token_reduction import Reader, TokenReduction
from ..plan import Plan, TokenSchedule, check_skipped
from ..plan.block_names import stack_of
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


def choose(model: nn.Module, skipped: Iterable[str] | Plan, tokens: TokenSchedule | None = None) -> None:
    """Skip exactly the blocks named ``skipped`` from now on; nothing is removed.

    Args:
        model: with skippable blocks.
        skipped: names of blocks, or a plan, whose token schedule is taken too.
        tokens: where image tokens become fewer, and which layers they pass unchanged; ``None``: nowhere, and none.

    Raises:
        InputError: not a list of names, an unknown block, all blocks at once, a removed block that should run again, a
            token schedule that is not for this model, one beside a plan, or a plan of another model.
    """
    if isinstance(skipped, Plan):
        if tokens is not None:
            raise InputError(f"tokens: {tokens}: the plan has a schedule of its own, or none; give one of the two")
        check_plan(model, skipped)
        return choose(model, skipped.skipped, skipped.tokens)
    expect("choose", tokens=(tokens, (TokenSchedule, type(None))))
    if isinstance(skipped, str) or not isinstance(skipped, Iterable):
        raise InputError(f"skipped: {skipped!r} is not a list of block names, e.g. a plan's skipped")
    blocks = blocks_of(model)
    wanted = tuple(skipped)
    check_skipped(wanted, tuple(blocks))
    gone = [name for name, block in blocks.items() if block.removed and name not in wanted]
    if gone:
        raise InputError(f"blocks {', '.join(gone)} were removed from this model and cannot run again")
    if tokens is not None:
        tokens.check_places(token_places(model), frozen_places(model), family_of(model).why_not_before)
    for name, block in blocks.items():
        block.skipped, block.reduction = name in wanted, None
        block.frozen = tokens is not None and name in tokens.frozen
    hand_out_folded(model)
    if tokens is not None:
        before = 1.0
        for name, share in tokens.keep.items():
            blocks[name].reduction = TokenReduction(share, tokens.way, _reader(blocks, name), before)
            before = share


def _reader(blocks: Mapping[str, SkippableBlock], place: str) -> Callable[[], Reader | None] | None:
    """How the next block that runs reads the image's stream, or else the last one before; of the same stack."""
    stack = [name for name in blocks if stack_of(name) == stack_of(place)]
    number = stack.index(place)
    running = [name for name in (*stack[number:], *reversed(stack[:number])) if not blocks[name].skipped]
    return blocks[running[0]].reader if running else None


def token_places(model: nn.Module) -> tuple[str, ...]:
    """Names of the blocks before which image tokens can become fewer, in running order; none in many families."""
    return family_of(model).reducible(model)


def frozen_places(model: nn.Module) -> tuple[str, ...]:
    """Names of the layers that image tokens can pass unchanged; none in many families."""
    return family_of(model).freezable(model)


def skipped_blocks(model: nn.Module) -> tuple[str, ...]:
    """Names of the blocks that are skipped at present."""
    return tuple(name for name, block in blocks_of(model).items() if block.skipped)


def chosen_tokens(model: nn.Module) -> TokenSchedule | None:
    """The token schedule at present."""
    blocks = blocks_of(model)
    reductions = {name: blocks[name].reduction for name in token_places(model)}
    found = {name: reduction for name, reduction in reductions.items() if reduction is not None}
    frozen = tuple(name for name in frozen_places(model) if blocks[name].frozen)
    if not found and not frozen:
        return None
    way: Way = next((reduction.way for reduction in found.values()), "merge")
    return TokenSchedule(keep={name: reduction.keep for name, reduction in found.items()}, way=way, frozen=frozen)


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
