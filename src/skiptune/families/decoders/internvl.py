"""InternVL's tower layers as skippable blocks, and its row of the table of families."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import InternVLForConditionalGeneration, InternVLModel
from transformers.models.internvl.modeling_internvl import InternVLVisionLayer

from ...layers.blocks import SkippableBlock
from .image_inputs import Pictures, random_pixels, tower_side
from .pictures import patches_of, tiles
from .text_layers import OF_ANY_TEXT
from .tower_outputs import unread_layers
from .towers import tower_kind
from .vlm import vlm_family


class SkippableInternVlTowerLayer(SkippableBlock, InternVLVisionLayer):
    """A layer of InternVL's tower."""


def pictures(model: nn.Module, image_size: tuple[int, int], batch: int) -> Pictures:
    """Tiles of the tower's own size, and a small copy of the image if they are several; patches are joined to fewer
    tokens (``downsample_ratio``)."""
    config: Any = model.config
    pieces, side = tiles(config, image_size), tower_side(config)
    pixels = random_pixels(model, batch * pieces, 3, side, side)
    return Pictures({"pixel_values": pixels}, pieces * int(patches_of(config) * config.downsample_ratio**2))


FAMILY = vlm_family(
    (InternVLForConditionalGeneration, InternVLModel),
    OF_ANY_TEXT,
    (tower_kind(SkippableInternVlTowerLayer),),
    pictures,
    projector=("multi_modal_projector.",),
    unread=unread_layers,
)
