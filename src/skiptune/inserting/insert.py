"""Insert adapters into a model."""

from __future__ import annotations

from torch import nn

from ..config import SkipConfig
from ..core.arguments import expect
from ..core.errors import InputError
from ..core.seeding import drawn_from
from ..families.family import Family
from ..families.registry import family_of
from ..layers.adapters import BottleneckAdapter, Init
from ..layers.blocks import SkippableBlock
from ..layers.folded import FoldedAdapter
from .adapted_class import adapt_class
from .folding import attach_folded
from .input_adapters import add_input_adapters
from .lora import add_lora, refuse_wrapped
from .parameter_groups import freeze_body
from .selection import blocks_of
from .usual_adapters import with_skip_adapter


def insert(model: nn.Module, config: SkipConfig | None = None, seed: int = 0, merged: bool = False) -> nn.Module:
    """Make every block skippable, add adapters, freeze all that is not trained. In place; returns ``model``.

    With ``init="zero"`` (the default) or ``"fit"`` no output changes, bit for bit. Trained afterwards: adapters,
    poolers, token-type embeddings and the task head (paper, section 3.2). Adapter weights come from a private generator
    seeded by ``seed``. ``merged`` leaves LoRA and folded skip adapters out, for the structure of a slim model whose
    weights they became a part of.

    Raises:
        InputError: the model's family is not supported, has no encoders for ``scope="global"`` or no place for the
            adapters, or adapters were inserted before.
    """
    expect("insert", model=(model, nn.Module), config=(config, (SkipConfig, type(None))))
    refuse_wrapped(model)
    config = config or SkipConfig()
    family = family_of(model)
    if getattr(model, "skip_config", None) is not None:
        raise InputError("adapters are already in this model; insert them once, right after loading it")
    config = with_skip_adapter(config, model)
    _refuse_missing(family, config)
    _adopt(model, family, config)
    model.requires_grad_(False)
    blocks = list(blocks_of(model).values())
    with drawn_from(seed):
        for block in blocks:
            _add_adapters(model, block, config, merged)
        if config.block_adapter == "lora" and not merged:
            add_lora(model, [(block, family.kind_of(block).lora_targets) for block in blocks], config)
    attach_folded(model)
    freeze_body(model)
    model.skip_config = config  # type: ignore[assignment]
    if not merged:  # such a structure gets its class from who builds it
        adapt_class(model)
    return model


def _refuse_missing(family: Family, config: SkipConfig) -> None:
    """Refuse adapters that no block of the family has a place for."""
    if config.placement != "stream":
        if not any(kind.block_class.takes_input_adapters for kind in family.kinds):
            raise InputError(
                f"placement: {config.placement!r}: it is for layers of decoders; blocks of {family.name} take adapters "
                "on the 'stream' only"
            )
    elif config.block_adapter == "bottleneck" and not any(kind.sublayers for kind in family.kinds):
        raise InputError(
            f"block_adapter: 'bottleneck': blocks of {family.name} add no adapters of their own (sublayers); use 'lora'"
        )
    if config.block_adapter == "lora" and not any(kind.lora_targets for kind in family.kinds):
        raise InputError(f"block_adapter: 'lora': {family.name}'s table names no layers for it (lora_targets)")
    if config.skip_adapter == "folded" and config.parts:
        raise InputError("skip_adapter: 'folded': stands for whole layers; with parts, use 'none' or 'bottleneck'")
    if config.skip_adapter == "folded" and not any(kind.folding for kind in family.kinds):
        raise InputError(
            f"skip_adapter: 'folded': no linear layers of {family.name}'s blocks could take the adapter up exactly "
            "(folding); use 'none' or 'bottleneck'"
        )


def _adopt(model: nn.Module, family: Family, config: SkipConfig) -> None:
    if config.scope == "global" and family.adopt_encoders is None:
        raise InputError(
            f"scope: 'global' also skips the layers of encoders below the fusion; {family.name} has none. "
            "Use 'fusion', which makes all of its blocks skippable"
        )
    if config.parts and family.adopt_halves is None:
        raise InputError(f"parts: {', '.join(config.parts)}: blocks of {family.name} have no such halves; leave it out")
    if config.parts and family.adopt_halves is not None:
        family.adopt_halves(model, config.parts)
    else:
        family.make_skippable(model)
    if config.scope == "global" and family.adopt_encoders is not None:
        family.adopt_encoders(model)


def _add_adapters(model: nn.Module, block: SkippableBlock, config: SkipConfig, merged: bool) -> None:
    kind, example = family_of(model).kind_of(block), next(block.parameters())
    width = kind.width(model.config)
    block_width, skip_width = adapter_widths(config, width, kind.skip_factor)
    if config.placement != "stream" and block.takes_input_adapters:
        add_input_adapters(block, config, width, (block_width, skip_width))
        return
    init: Init = "paper" if config.init == "paper" else "zero"  # a fit needs data and comes later
    if config.block_adapter == "bottleneck" and kind.sublayers:
        adapters = [BottleneckAdapter(width, block_width, init) for _ in range(kind.sublayers)]
        block.block_adapters = nn.ModuleList(adapters).to(example)
    if config.skip_adapter == "bottleneck":
        block.skip_adapter = BottleneckAdapter(width, skip_width, init).to(example)
    elif config.skip_adapter == "folded" and kind.folding is not None and not merged:
        block.skip_adapter = FoldedAdapter(width, skip_width, init).to(example)


def adapter_widths(config: SkipConfig, width: int, skip_factor: int) -> tuple[int, int]:
    """Bottleneck widths of block and skip adapters for a residual stream ``width`` wide."""
    block_width = config.block_width or max(1, width // 8)
    return block_width, config.skip_width or block_width * skip_factor
