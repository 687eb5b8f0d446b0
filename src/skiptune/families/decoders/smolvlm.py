"""SmolVLM's tower layers as skippable blocks, and its row of the table of families."""

from __future__ import annotations

from transformers import SmolVLMForConditionalGeneration, SmolVLMModel
from transformers.models.smolvlm.modeling_smolvlm import SmolVLMEncoderLayer

from ...layers.blocks import SkippableBlock
from .idefics3 import pictures
from .text_layers import OF_ANY_TEXT
from .towers import tower_kind
from .vlm import vlm_family


class SkippableSmolVlmTowerLayer(SkippableBlock, SmolVLMEncoderLayer):
    """A layer of SmolVLM's tower."""

    mask_position = 1


FAMILY = vlm_family(
    (SmolVLMForConditionalGeneration, SmolVLMModel),
    OF_ANY_TEXT,
    (tower_kind(SkippableSmolVlmTowerLayer),),
    pictures,
    projector=("connector.",),
)
