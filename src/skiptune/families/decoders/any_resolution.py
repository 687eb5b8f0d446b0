"""Images of LLaVA-NeXT and LLaVA-OneVision: one copy of the tower's size, and tiles of the best of several sizes."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers.models.llava_next.modeling_llava_next import image_size_to_num_patches

from .image_inputs import Pictures, random_pixels, tower_side
from .pictures import patches_of


def any_resolution(model: nn.Module, image_size: tuple[int, int], batch: int, settings: tuple[str, ...]) -> Pictures:
    """Images of any size.

    Args:
        model: with a tower.
        image_size: height and width in pixels.
        batch: the number of images.
        settings: fields of the configuration that the model's ``pack_image_features`` takes.
    """
    body: Any = getattr(model, "model", model)
    config, side = body.config, tower_side(body.config)
    pieces = image_size_to_num_patches(list(image_size), config.image_grid_pinpoints, side)
    pixels = random_pixels(model, batch, pieces, 3, side, side)
    sizes = torch.tensor([image_size] * batch, device=pixels.device)
    # transformers drops padding and sets line ends: its own function counts what is left
    packing = {name: getattr(config, name) for name in settings}
    features, line_end = [torch.zeros(pieces, patches_of(config), 1)], torch.zeros(1)
    packed, _ = body.pack_image_features(features, sizes[:1].cpu(), image_newline=line_end, **packing)
    return Pictures({"pixel_values": pixels, "image_sizes": sizes}, len(packed[0]))
