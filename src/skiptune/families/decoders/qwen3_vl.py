"""Qwen3-VL's layers and its tower's as skippable blocks, and its row of the table of families."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from transformers import Qwen3VLForConditionalGeneration, Qwen3VLModel
from transformers.models.qwen3_vl.modeling_qwen3_vl import (
    Qwen3VLTextAttention,
    Qwen3VLTextDecoderLayer,
    Qwen3VLTextMLP,
    Qwen3VLVisionBlock,
)

from ...layers.blocks import SkippableBlock
from .image_passage import reducible
from .kinds import DecoderClasses
from .layer import SkippableAttention, SkippableDecoderLayer, SkippableMlp
from .pictures import in_patches
from .towers import tower_kind
from .vlm import vlm_family


class SkippableQwen3VlLayer(SkippableDecoderLayer, Qwen3VLTextDecoderLayer):
    """A layer of Qwen3-VL."""


class SkippableQwen3VlAttention(SkippableAttention, Qwen3VLTextAttention):
    """Its attention."""


class SkippableQwen3VlMlp(SkippableMlp, Qwen3VLTextMLP):
    """Its feed-forward network."""


class SkippableQwen3VlTowerLayer(SkippableBlock, Qwen3VLVisionBlock):
    """A layer of its tower, of the patches of all images in one row, ``(patches, width)``."""


def _fed_by_place(config: Any) -> dict[str, str]:
    """The first layers, as many as the tower has levels: without one, the levels behind it reach other layers."""
    levels = len(config.vision_config.deepstack_visual_indexes)
    why = "the image tower feeds the first layers by their places, which a plain checkpoint cannot keep"
    return {str(number): why for number in range(levels)}


def _not_plain(model: Any, skipped: Collection[str]) -> str:
    fed = _fed_by_place(model.config)
    names = [name for name in skipped if name.partition(".")[0] in fed]
    return f"{', '.join(names)}: {fed[names[0].partition('.')[0]]}; keep layers 0 to {len(fed) - 1}" if names else ""


def _reducible(model: Any) -> tuple[str, ...]:
    """Layers behind those after which features are added to all image tokens."""
    fed = _fed_by_place(model.config)
    return tuple(name for name in reducible(model) if name not in fed)


CLASSES = DecoderClasses(SkippableQwen3VlLayer, SkippableQwen3VlAttention, SkippableQwen3VlMlp)
_ROW = vlm_family(
    (Qwen3VLForConditionalGeneration, Qwen3VLModel),
    (CLASSES,),
    (tower_kind(SkippableQwen3VlTowerLayer, last="mlp.linear_fc2"),),
    in_patches,
    projector=("visual.merger.", "visual.deepstack_merger_list."),
    protected=_fed_by_place,
)
FAMILY = replace(_ROW, not_plain=_not_plain, reducible=_reducible)
