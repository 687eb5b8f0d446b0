"""Sizes of ViLT's inputs, and processors that make them."""

from __future__ import annotations

from importlib.resources import files

from transformers import AutoTokenizer, ViltConfig, ViltProcessor
from transformers.models.vilt.image_processing_pil_vilt import ViltImageProcessorPil

from ..family import InputSizes


def sizes(config: ViltConfig) -> InputSizes:
    """Sizes of a model's inputs."""
    return InputSizes(
        image_size=config.image_size,
        patch_size=config.patch_size,
        num_channels=config.num_channels,
        vocab_size=config.vocab_size,
        text_length=config.max_position_embeddings,
        longest_text=config.max_position_embeddings,
    )


def image_processor(config: ViltConfig, side: int) -> ViltImageProcessorPil:
    """Images keep their shape; the shorter side gets ``side`` pixels, both a multiple of the patches' size."""
    return ViltImageProcessorPil(
        size={"shortest_edge": side}, size_divisor=config.patch_size, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )


def fresh_processor(config: ViltConfig) -> ViltProcessor:
    """For a model with random weights: the embedded model's tokenizer, images of the configuration's size."""
    tokenizer = AutoTokenizer.from_pretrained(str(files("skiptune") / "assets" / "vilt-scenes"))
    return ViltProcessor(image_processor(config, config.image_size), tokenizer)
