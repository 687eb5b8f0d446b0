"""Qwen2-VL's layers and its tower's as skippable blocks, and its row of the table of families."""

from __future__ import annotations

from transformers import Qwen2VLForConditionalGeneration, Qwen2VLModel
from transformers.models.qwen2_vl.modeling_qwen2_vl import (
    Qwen2MLP,
    Qwen2VLAttention,
    Qwen2VLDecoderLayer,
    Qwen2VLVisionBlock,
)

from ...layers.blocks import SkippableBlock
from ..block_kind import BlockKind, Folding
from .kinds import DecoderClasses
from .layer import SkippableAttention, SkippableDecoderLayer, SkippableMlp
from .pictures import in_patches
from .vlm import vlm_family


class SkippableQwen2VlLayer(SkippableDecoderLayer, Qwen2VLDecoderLayer):
    """A layer of Qwen2-VL."""


class SkippableQwen2VlAttention(SkippableAttention, Qwen2VLAttention):
    """Its attention."""


class SkippableQwen2VlMlp(SkippableMlp, Qwen2MLP):
    """Its feed-forward network."""


class SkippableQwen2VlTowerLayer(SkippableBlock, Qwen2VLVisionBlock):
    """A layer of its tower, of the patches of all images in one row, ``(patches, width)``."""


CLASSES = DecoderClasses(SkippableQwen2VlLayer, SkippableQwen2VlAttention, SkippableQwen2VlMlp)
FAMILY = vlm_family(
    (Qwen2VLForConditionalGeneration, Qwen2VLModel),
    (CLASSES,),
    (
        BlockKind(
            SkippableQwen2VlTowerLayer,
            lambda config: int(config.vision_config.embed_dim),
            skip_factor=3,
            folding=Folding("output", place="mlp", layers=("mlp.fc2",)),
        ),
    ),
    in_patches,
    projector=("visual.merger.",),
)
