"""The ways in which families take images: of one size, in tiles, or as patches of any number."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ...core.errors import InputError
from .image_inputs import Pictures, random_pixels, tower_patch, tower_side


def of_one_size(model: nn.Module, image_size: tuple[int, int], batch: int, tokens: int) -> Pictures:
    """Images of the tower's own size, to which the family's processor scales all of them.

    Args:
        model: with a tower.
        image_size: height and width in pixels.
        batch: the number of images.
        tokens: image tokens of one.

    Raises:
        InputError: another size.
    """
    config: Any = model.config
    side = tower_side(config)
    if tuple(image_size) != (side, side):
        raise InputError(
            f"image size {image_size[0]}x{image_size[1]}: {config.model_type} scales every image to {side}x{side} "
            "pixels; name that size"
        )
    return Pictures({"pixel_values": random_pixels(model, batch, 3, side, side)}, tokens)


def patches_of(config: Any) -> int:
    """Patches of one image of the tower's own size."""
    return (tower_side(config) // tower_patch(config)) ** 2


def tiles(config: Any, image_size: tuple[int, int]) -> int:
    """Pieces of the tower's own size that an image is cut into, and a small copy of it if they are several."""
    side = tower_side(config)
    pieces = -(-image_size[0] // side) * -(-image_size[1] // side)
    return pieces + (pieces > 1)


def packed(model: nn.Module, image_size: tuple[int, int], batch: int) -> Pictures:
    """Pixtral's: images of any size, whose patches its tower puts in one row, and their heights and widths.

    Raises:
        InputError: a size that is no multiple of the patches.
    """
    config: Any = model.config
    high, wide = _grid(image_size, tower_patch(config))
    pixels = random_pixels(model, batch, 3, *image_size)
    sizes = torch.tensor([image_size] * batch, device=pixels.device)
    return Pictures({"pixel_values": pixels, "image_sizes": sizes}, high * wide)


def in_patches(model: nn.Module, image_size: tuple[int, int], batch: int) -> Pictures:
    """Qwen's: patches of all images in one row, ``(patches, values)``, and the grid of each image.

    Raises:
        InputError: a size that is no multiple of the patches that make a token.
    """
    config: Any = model.config
    vision, patch = config.vision_config, tower_patch(config)
    merged = vision.spatial_merge_size
    high, wide = _grid(image_size, patch * merged)
    values = vision.in_channels * vision.temporal_patch_size * patch**2
    pixels = random_pixels(model, batch * high * wide * merged**2, values)
    grid = torch.tensor([[1, high * merged, wide * merged]] * batch, device=pixels.device)
    return Pictures({"pixel_values": pixels, "image_grid_thw": grid}, high * wide, marks="mm_token_type_ids")


def _grid(image_size: tuple[int, int], unit: int) -> tuple[int, int]:
    """Tokens along both sides of an image, each of ``unit`` pixels."""
    if any(side < unit or side % unit for side in image_size):
        raise InputError(f"image size {image_size[0]}x{image_size[1]}: both sides must be multiples of {unit} pixels")
    return image_size[0] // unit, image_size[1] // unit
