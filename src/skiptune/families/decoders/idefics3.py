"""Idefics3's tower layers as skippable blocks, and its row of the table of families."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import Idefics3ForConditionalGeneration, Idefics3Model
from transformers.models.idefics3.modeling_idefics3 import Idefics3EncoderLayer

from ...layers.blocks import SkippableBlock
from .image_inputs import Pictures, random_pixels, tower_side
from .pictures import patches_of, tiles
from .text_layers import OF_ANY_TEXT
from .towers import tower_kind
from .vlm import vlm_family


class SkippableIdefics3TowerLayer(SkippableBlock, Idefics3EncoderLayer):
    """A layer of Idefics3's tower."""

    mask_position = 1


def pictures(model: nn.Module, image_size: tuple[int, int], batch: int) -> Pictures:
    """Tiles of the tower's own size, and a small copy of the image if they are several; patches are joined to fewer
    tokens (``scale_factor``). Also SmolVLM's."""
    config: Any = model.config
    pieces, side = tiles(config, image_size), tower_side(config)
    pixels = random_pixels(model, batch, pieces, 3, side, side)
    return Pictures({"pixel_values": pixels}, pieces * patches_of(config) // config.scale_factor**2)


FAMILY = vlm_family(
    (Idefics3ForConditionalGeneration, Idefics3Model),
    OF_ANY_TEXT,
    (tower_kind(SkippableIdefics3TowerLayer),),
    pictures,
    projector=("connector.",),
)
