"""Settings of the adapters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ..core.validated import Number, Several, Validated
from ..core.validation import Problems

BlockAdapter = Literal["bottleneck", "lora", "none"]
SkipAdapter = Literal["bottleneck", "folded", "none"]
Scope = Literal["fusion", "global"]
Half = Literal["attention", "mlp"]
Start = Literal["zero", "paper", "fit"]
Placement = Literal["stream", "lavin", "lavin_router", "llava"]
Width = Annotated[int, Field(ge=1, le=65536)]


class SkipConfig(Validated):
    """The adapters that :func:`skiptune.insert` inserts.

    Attributes:
        block_adapter: in parallel to the sub-layers of kept blocks: the paper's ``bottleneck`` (cannot be merged),
            ``lora`` (PEFT's, merged at export, so kept blocks cost nothing extra), or ``none``.
        block_width: bottleneck of a block adapter; ``None``: an eighth of the model's width (96 at 768, the paper's).
        skip_adapter: in the place of a skipped block: the paper's ``bottleneck``; ``folded``: a linear map of low rank
            that becomes a part of a kept block's weights at export and costs nothing (decoders, ViLT, CLIP, SigLIP, see
            :class:`skiptune.layers.folded.FoldedAdapter`); ``none``: a skipped block passes its stream through, at no
            cost either. ``None``: with LoRA ``folded`` where blocks take such adapters up, without other adapters
            ``none``, else ``bottleneck``. With a ``placement`` of the released decoders, ``bottleneck`` is theirs.
        skip_width: bottleneck or rank of a skip adapter; ``None``: block width × adapters per block, so that the
            adapters of a skipped block cost as much as those of a kept one.
        init: ``zero`` changes no output on insertion, and a skipped block passes its stream through; ``paper`` is the
            released initialisation; ``fit`` is ``zero`` for block adapters, while skip adapters start as the linear
            maps nearest to their blocks. A run does the fit; in Python call :func:`skiptune.fit_skip_adapters`.
        lora_rank: rank of LoRA on kept blocks.
        lora_alpha: LoRA's scale numerator; ``None``: twice the rank.
        scope: ``fusion``: the blocks that see both modalities can be skipped; ``global``: the layers of the encoders
            below them too, which get skip adapters but no block adapters (families with such encoders only).
        parts: halves of layers that are blocks of their own, ``attention``, ``mlp`` or both (decoders); none: a block
            is a whole layer.
        placement: where adapters stand and of which kind they are. ``stream``: on the residual stream, as the paper's.
            The others are those of the released decoders, for whole layers of decoders, without a LayerNorm of their
            own. They read the normed input ``z`` of a sub-layer: ``lavin`` before attention, ``llava`` before attention
            and feed-forward network, ``lavin_router`` as ``lavin`` with two experts that each sequence's first token
            mixes. A skipped layer is ``x + A(z)``, with ``llava`` ``x + z + A(z)``. ``zero`` and ``paper`` of ``init``
            differ for ``llava`` only, whose released adapters change outputs at the start.
        adapter_scale: factor of LaVIN's adapters, of both kinds.
        router_temperature: of LaVIN's mixture.
    """

    block_adapter: BlockAdapter = "bottleneck"
    block_width: Width | None = None
    skip_width: Width | None = None
    init: Start = "zero"
    lora_rank: int = Field(default=16, ge=1, le=4096)
    lora_alpha: Width | None = None
    scope: Scope = "fusion"
    parts: Several[Half] = ()
    placement: Placement = "stream"
    adapter_scale: Number = Field(default=1.0, ge=-1e6, le=1e6)
    router_temperature: Number = Field(default=10.0, ge=1e-6, le=1e6)
    skip_adapter: SkipAdapter | None = None

    @classmethod
    def paper(cls) -> SkipConfig:
        """The released settings: width 96, a skip adapter as wide as the block adapters it replaces (192 for ViLT, 288
        for METER), all adapter weights from N(0, 0.02)."""
        return cls(block_adapter="bottleneck", block_width=96, skip_adapter="bottleneck", init="paper")

    @classmethod
    def lavin(cls, router: bool = True) -> SkipConfig:
        """The settings of LaVIN-DAS: adapters of width 8 before attention, of width 32 in place of a layer, started as
        released.

        ``router``: those of its models for images and texts, with two experts; ``False``: those for texts alone.
        """
        placement: Placement = "lavin_router" if router else "lavin"
        return cls(placement=placement, block_width=8, skip_width=32, skip_adapter="bottleneck", init="paper")

    @classmethod
    def llava(cls) -> SkipConfig:
        """The settings of LLaVA-DAS: adapters of width 64 before attention and before the feed-forward network, of
        width 256 in place of a layer, started as released."""
        return cls(placement="llava", block_width=64, skip_width=256, skip_adapter="bottleneck", init="paper")

    def check(self, problems: Problems) -> None:
        if self.placement != "stream":
            folds = self.skip_adapter == "folded"
            problems.check(not folds, f"skip_adapter: 'folded' is for placement 'stream', not for {self.placement!r}")
            problems.check(not self.parts, f"parts: placement {self.placement!r} is for whole layers; leave it out")
            problems.check(
                self.init != "fit", f"init: 'fit' is for adapters on the stream, not for placement {self.placement!r}"
            )
        nothing = (self.skip_adapter or self.block_adapter) == "none"
        fits_nothing = self.init == "fit" and nothing
        problems.check(not fits_nothing, "init: 'fit' fits skip adapters, and skip_adapter is 'none'; take 'folded'")
        scaled, routed = self.placement.startswith("lavin"), self.placement == "lavin_router"
        problems.check(scaled or self.adapter_scale == 1, "adapter_scale: is of placement 'lavin' or 'lavin_router'")
        problems.check(routed or self.router_temperature == 10, "router_temperature: is of placement 'lavin_router'")


def as_before(fields: object) -> object:
    """The fields of a :class:`SkipConfig` from a file; versions up to 0.3 had no ``skip_adapter``."""
    if not isinstance(fields, Mapping):
        return fields
    return {"skip_adapter": "none" if fields.get("block_adapter") == "none" else "bottleneck", **fields}


#: A :class:`SkipConfig` in a file that says what was inserted, also when it was written by an older version.
KeptSkipConfig = Annotated[SkipConfig, BeforeValidator(as_before)]
