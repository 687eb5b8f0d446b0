"""Sizes of the inputs of a model with two towers."""

from __future__ import annotations

from typing import Any

from ..family import InputSizes


def tower_sizes(config: Any, end_token: int | None = None) -> InputSizes:
    """As the towers' configurations say; ``end_token`` is the one whose vector is the text's, if one is."""
    text, vision = config.text_config, config.vision_config
    return InputSizes(
        image_size=vision.image_size,
        patch_size=vision.patch_size,
        num_channels=vision.num_channels,
        vocab_size=text.vocab_size,
        text_length=text.max_position_embeddings,
        longest_text=text.max_position_embeddings,
        end_token=end_token,
    )
