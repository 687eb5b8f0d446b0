"""Settings of the adapters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..core.validated import Several, Validated

BlockAdapter = Literal["bottleneck", "lora", "none"]
Scope = Literal["fusion", "global"]
Half = Literal["attention", "mlp"]
Start = Literal["zero", "paper", "fit"]
Width = Annotated[int, Field(ge=1, le=65536)]


class SkipConfig(Validated):
    """The adapters that :func:`skiptune.insert` inserts.

    Attributes:
        block_adapter: in parallel to the sub-layers of kept blocks: the paper's ``bottleneck`` (cannot be merged),
            ``lora`` (PEFT's, merged at export, so kept blocks cost nothing extra), or ``none`` (no adapters at all).
        block_width: bottleneck of a block adapter; ``None``: an eighth of the model's width (96 at 768, the paper's).
        skip_width: bottleneck of a skip adapter; ``None``: block width × adapters per block, so that the adapters of a
            skipped block cost as much as those of a kept one.
        init: ``zero`` changes no output on insertion, and a skipped block passes its stream through; ``paper`` is the
            released initialisation; ``fit`` is ``zero`` for block adapters, while skip adapters start as the linear
            maps nearest to their blocks. A run does the fit; in Python call :func:`skiptune.fit_skip_adapters`.
        lora_rank: rank of LoRA on kept blocks.
        lora_alpha: LoRA's scale numerator; ``None``: twice the rank.
        scope: ``fusion``: the blocks that see both modalities can be skipped; ``global``: the layers of the encoders
            below them too, which get skip adapters but no block adapters (families with such encoders only).
        parts: halves of layers that are blocks of their own, ``attention``, ``mlp`` or both (decoders); none: a block
            is a whole layer.
    """

    block_adapter: BlockAdapter = "bottleneck"
    block_width: Width | None = None
    skip_width: Width | None = None
    init: Start = "zero"
    lora_rank: int = Field(default=16, ge=1, le=4096)
    lora_alpha: Width | None = None
    scope: Scope = "fusion"
    parts: Several[Half] = ()

    @classmethod
    def paper(cls) -> SkipConfig:
        """The released settings: width 96, a skip adapter as wide as the block adapters it replaces (192 for ViLT, 288
        for METER), all adapter weights from N(0, 0.02)."""
        return cls(block_adapter="bottleneck", block_width=96, init="paper")
