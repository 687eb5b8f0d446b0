"""Qwen2.5-VL's layers and its tower's as skippable blocks, and its row of the table of families."""

from __future__ import annotations

from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLModel
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
    Qwen2_5_VLAttention,
    Qwen2_5_VLDecoderLayer,
    Qwen2_5_VLVisionBlock,
    Qwen2MLP,
)

from ...layers.blocks import SkippableBlock
from .kinds import DecoderClasses
from .layer import SkippableAttention, SkippableDecoderLayer, SkippableMlp
from .pictures import in_patches
from .towers import tower_kind
from .vlm import vlm_family


class SkippableQwen25VlLayer(SkippableDecoderLayer, Qwen2_5_VLDecoderLayer):
    """A layer of Qwen2.5-VL."""


class SkippableQwen25VlAttention(SkippableAttention, Qwen2_5_VLAttention):
    """Its attention."""


class SkippableQwen25VlMlp(SkippableMlp, Qwen2MLP):
    """Its feed-forward network."""


class SkippableQwen25VlTowerLayer(SkippableBlock, Qwen2_5_VLVisionBlock):
    """A layer of its tower, of the patches of all images in one row, ``(patches, width)``."""


CLASSES = DecoderClasses(SkippableQwen25VlLayer, SkippableQwen25VlAttention, SkippableQwen25VlMlp)
FAMILY = vlm_family(
    (Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLModel),
    (CLASSES,),
    (tower_kind(SkippableQwen25VlTowerLayer, last="mlp.down_proj"),),
    in_patches,
    projector=("visual.merger.",),
)
