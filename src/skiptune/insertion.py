"""Put adapters into a model, choose the subnetwork that runs, take dead blocks out."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from .adapters import BottleneckAdapter, Init, ParallelAdapter, Prompts
from .blocks import SkippableBlock
from .config import GROUPS, SkipConfig
from .errors import InputError
from .families.family import BlockKind, Family
from .families.registry import family_of
from .lora import add_lora, is_of_peft, merge_lora
from .plan import Plan, check_skipped
from .randomness import drawn_from


def insert(model: nn.Module, config: SkipConfig | None = None, seed: int = 0, merged: bool = False) -> nn.Module:
    """Make every block skippable, add adapters, freeze all that is not trained. In place; returns ``model``.

    With ``init="zero"`` (the default) or ``"fit"`` no output changes, not by a bit. Trained afterwards: adapters,
    poolers, token-type embeddings and the task head (paper, section 3.2). Adapter weights come from a private generator
    seeded by ``seed``. ``merged`` leaves LoRA out, for the structure of a slim model that it was merged into.

    Raises:
        InputError: the model's family is not supported or has no encoders for ``scope="global"``, or adapters were
            inserted before.
    """
    config = config or SkipConfig()
    family = family_of(model)
    if getattr(model, "skip_config", None) is not None:
        raise InputError("adapters are already in this model; insert them once, right after loading it")
    _adopt(model, family, config)
    model.requires_grad_(False)
    with drawn_from(seed):
        blocks = list(blocks_of(model).values())
        for block in blocks:
            kind = family.kind_of(block)
            _add_adapters(block, config, kind.width(model.config), kind)
        if config.block_adapter == "lora" and not merged:
            add_lora(model, [(block, family.kind_of(block).lora_targets) for block in blocks], config)
    freeze_body(model)
    model.skip_config = config  # type: ignore[assignment]
    return model


def freeze_body(model: nn.Module) -> None:
    """Train adapters and all that was added, the small parts and the head, and nothing else."""
    for group, parameters in parameter_groups(model).items():
        for parameter in parameters.values():
            parameter.requires_grad_(group != "body")


def _adopt(model: nn.Module, family: Family, config: SkipConfig) -> None:
    if config.scope == "global" and family.adopt_encoders is None:
        raise InputError(
            f"scope: 'global' also skips the layers of encoders below the fusion; {family.name} has none. "
            "Use 'fusion', which makes all of its blocks skippable"
        )
    family.adopt(model)
    if config.scope == "global" and family.adopt_encoders is not None:
        family.adopt_encoders(model)


def _add_adapters(block: SkippableBlock, config: SkipConfig, width: int, kind: BlockKind) -> None:
    if config.block_adapter == "none":
        return
    example = next(block.parameters())
    block_width, skip_width = adapter_widths(config, width, kind.skip_factor)
    init: Init = "paper" if config.init == "paper" else "zero"  # a fit needs data and comes later
    if config.block_adapter == "bottleneck" and kind.sublayers:
        adapters = [BottleneckAdapter(width, block_width, init) for _ in range(kind.sublayers)]
        block.block_adapters = nn.ModuleList(adapters).to(example)
    block.skip_adapter = BottleneckAdapter(width, skip_width, init).to(example)


def adapter_widths(config: SkipConfig, width: int, skip_factor: int) -> tuple[int, int]:
    """Bottleneck widths of block and skip adapters for a residual stream ``width`` wide."""
    block_width = config.block_width or max(1, width // 8)
    return block_width, config.skip_width or block_width * skip_factor


def blocks_of(model: nn.Module) -> dict[str, SkippableBlock]:
    """Skippable blocks by name, in model order.

    Raises:
        InputError: the model is of no supported family, or :func:`insert` was not called.
    """
    blocks = family_of(model).blocks(model)
    if not all(isinstance(block, SkippableBlock) for block in blocks.values()):
        raise InputError("this model has no skippable blocks yet; call skiptune.insert(model, config) first")
    return blocks


def choose(model: nn.Module, skipped: Iterable[str]) -> None:
    """Step over exactly the blocks named ``skipped`` from now on; nothing is removed.

    Raises:
        InputError: an unknown block, all blocks at once, or a removed block that should run again.
    """
    blocks = blocks_of(model)
    wanted = tuple(skipped)
    check_skipped(wanted, tuple(blocks))
    gone = [name for name, block in blocks.items() if block.removed and name not in wanted]
    if gone:
        raise InputError(f"blocks {', '.join(gone)} were removed from this model and can only be skipped")
    for name, block in blocks.items():
        block.skipped = name in wanted


def skipped_blocks(model: nn.Module) -> tuple[str, ...]:
    """Names of the blocks that are stepped over at present."""
    return tuple(name for name, block in blocks_of(model).items() if block.skipped)


def remove_dead_blocks(model: nn.Module, plan: Plan) -> nn.Module:
    """Drop the weights of skipped blocks and the adapters nobody uses, in place; outputs stay those of :func:`choose`
    with the same plan, bit for bit. Returns ``model``.

    Raises:
        InputError: the plan is of another family or of a model with other blocks.
    """
    check_plan(model, plan)
    choose(model, plan.skipped)
    for name, block in blocks_of(model).items():
        if name in plan.skipped:
            block.remove_weights()
        else:
            block.skip_adapter = None
    return model


def prune(model: nn.Module, plan: Plan) -> nn.Module:
    """:func:`remove_dead_blocks`, then merge LoRA into the kept blocks: the slim model, in place.

    Merging rounds differently from adding, so with LoRA outputs agree to rounding only. Returns ``model``.
    """
    remove_dead_blocks(model, plan)
    merge_lora(model)
    return model


def check_plan(model: nn.Module, plan: Plan) -> None:
    """Refuse a plan that was made for another model."""
    family, blocks = family_of(model).name, tuple(blocks_of(model))
    if plan.family != family or plan.blocks != blocks:
        raise InputError(
            f"the plan is for a {plan.family} model with {len(plan.blocks)} blocks, "
            f"this is a {family} model with {len(blocks)}"
        )


def parameter_groups(model: nn.Module) -> dict[str, dict[str, nn.Parameter]]:
    """All parameters by group: ``block_adapters`` (LoRA too, and what rival methods add), ``skip_adapters``,
    ``small_parts``, ``head``, ``body``.

    Membership is declared by the adapter modules and by the family's table, not guessed from names.
    """
    family = family_of(model)
    owner: dict[int, str] = {}
    for block in family.blocks(model).values():
        for group, module in (
            ("block_adapters", getattr(block, "block_adapters", None)),
            ("skip_adapters", getattr(block, "skip_adapter", None)),
        ):
            for parameter in module.parameters() if module is not None else ():
                owner[id(parameter)] = group
    for module in model.modules():
        if isinstance(module, ParallelAdapter | Prompts):
            owner.update({id(parameter): "block_adapters" for parameter in module.parameters()})
    groups: dict[str, dict[str, nn.Parameter]] = {group: {} for group in GROUPS}
    bare = not hasattr(model, family.base_prefix.rstrip("."))
    for name, parameter in model.named_parameters():
        full = family.base_prefix + name if bare else name
        if id(parameter) in owner:
            group = owner[id(parameter)]
        elif is_of_peft(full):
            group = "block_adapters"
        elif full.startswith(family.small_parts):
            group = "small_parts"
        else:
            group = "body" if full.startswith(family.base_prefix) else "head"
        groups[group][name] = parameter
    return groups


def unfreeze(model: nn.Module) -> None:
    """Train everything: full tuning, the yardstick that adapters are compared with."""
    model.requires_grad_(True)
