"""Random inputs of a given size, for counting and timing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn

from ..core.errors import InputError
from ..families.family import Family
from ..families.registry import family_of

#: The arguments of a model, by name.
Inputs: TypeAlias = Mapping[str, Tensor]


def size_of_images(model: nn.Module, given: tuple[int, int] | None) -> tuple[int, int]:
    """(height, width) in pixels: what a user named, or the model's own; (0, 0) of a model that reads no images.

    Raises:
        InputError: a size was named for a model without images.
    """
    family = family_of(model)
    side = family.sizes(model.config).image_size
    if given is not None and not side:
        raise InputError(f"image size {given[0]}x{given[1]}: {family.name} reads no images; leave it out")
    return given or (side, side)


def example_inputs(
    model: nn.Module, image_size: tuple[int, int], text_length: int, batch: int = 1
) -> dict[str, Tensor]:
    """Random inputs of one size, without padding: ``image_size`` is (height, width) in pixels.

    Raises:
        InputError: the text is longer than the model's position table, or the image not a multiple of its patches.
    """
    family = family_of(model)
    sizes = family.sizes(model.config)
    if not 2 <= text_length <= sizes.longest_text:
        raise InputError(f"text length {text_length} is not in [2, {sizes.longest_text}] tokens")
    if family.example_inputs is not None:
        return family.example_inputs(model, image_size, text_length, batch)
    patch = sizes.patch_size
    if any(side < patch or side % patch for side in image_size):
        raise InputError(f"image size {image_size[0]}x{image_size[1]}: both sides must be multiples of {patch} pixels")
    generator = torch.Generator().manual_seed(0)
    weight = next(model.parameters())
    ids = torch.randint(5, max(6, sizes.vocab_size), (batch, text_length), generator=generator)
    if sizes.end_token is not None:
        ids[ids == sizes.end_token] = 5
        ids[:, -1] = sizes.end_token
    shape: tuple[int, ...] = (batch, sizes.num_channels, *image_size)
    if _takes_pairs(model, family):
        shape = (batch, 2, *shape[1:])
    pixels = torch.randn(shape, generator=generator)
    return {
        "input_ids": ids.to(weight.device),
        "attention_mask": torch.ones_like(ids).to(weight.device),
        "pixel_values": pixels.to(weight),
    }


def _takes_pairs(model: nn.Module, family: Family) -> bool:
    """Whether a model takes two images for a text: it is of the family's class for them, or of a class of transformers'
    own that this one inherits from, and that of no single image does."""
    pairs, single = family.model_classes.get("reasoning"), family.model_classes.get("vqa")
    if pairs is None or isinstance(model, pairs):
        return pairs is not None
    only = set(pairs.__mro__) - set(() if single is None else single.__mro__)
    return any(kind in only for kind in type(model).__mro__)
