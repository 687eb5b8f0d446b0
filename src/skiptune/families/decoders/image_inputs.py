"""Random images and texts for a vision-language model, with as many image tokens as its images take.

A text begins with the tokens of its image, and ``text_length`` others follow. How many tokens an image takes, and in
which pieces it is passed, is the family's own: :class:`Pictures`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..family import InputSizes
from .text import text_sizes

_PATCHES = 32  # along a side, where a tower takes images of any size


@dataclass(frozen=True)
class Pictures:
    """Images as a model takes them.

    Attributes:
        inputs: arguments by name.
        tokens: image tokens in every text.
        marks: name of the argument that tells an image's tokens from others, which have 0; empty: none.
        mark: what it says of them.
    """

    inputs: Mapping[str, Tensor]
    tokens: int
    marks: str = ""
    mark: int = 1


def tower_side(config: Any) -> int:
    """The side of the square images that a model's image tower takes, in pixels; 32 patches if it takes any."""
    vision = config.vision_config
    return _side(getattr(vision, "image_size", _PATCHES * tower_patch(config)))


def tower_patch(config: Any) -> int:
    """The side of a patch in pixels."""
    return _side(config.vision_config.patch_size)


def vlm_sizes(config: Any) -> InputSizes:
    """Sizes of a model's inputs; text without its image tokens."""
    text = text_sizes(config)
    return InputSizes(
        image_size=tower_side(config),
        patch_size=tower_patch(config),
        vocab_size=text.vocab_size,
        text_length=text.text_length,
        longest_text=text.longest_text,
    )


def vlm_inputs(
    pictures: Callable[[nn.Module, tuple[int, int], int], Pictures],
    model: nn.Module,
    image_size: tuple[int, int],
    text_length: int,
    batch: int,
) -> dict[str, Tensor]:
    """Random images, one a text, and ids ``(batch, image tokens + text_length)``."""
    config: Any = model.config
    made, device = pictures(model, image_size, batch), next(model.parameters()).device
    generator = torch.Generator().manual_seed(0)
    text = torch.randint(0, config.get_text_config().vocab_size, (batch, text_length), generator=generator)
    image, video = config.image_token_id, getattr(config, "video_token_id", config.image_token_id)
    other = next(token for token in range(3) if token not in (image, video))
    text = text.masked_fill((text == image) | (text == video), other)
    ids = torch.cat((torch.full((batch, made.tokens), image), text), dim=1).to(device)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), **made.inputs}
    return {**inputs, made.marks: made.mark * (ids == image).long()} if made.marks else inputs


def random_pixels(model: nn.Module, *shape: int) -> Tensor:
    """Always the same, of a model's type and on its device."""
    weight = next(model.parameters())
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(weight)


def _side(value: Any) -> int:
    return int(value if isinstance(value, int) else value[0])
