"""SigLIP's inputs: texts filled up to one length, and whole images, squashed to a square by Pillow."""

from __future__ import annotations

from transformers import SiglipConfig, SiglipProcessor
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from ..byte_tokenizer import byte_tokenizer


def image_processor(config: SiglipConfig, side: int) -> SiglipImageProcessorPil:
    """Images become ``side`` × ``side`` pixels, whatever their aspect ratio, as in pre-training."""
    return SiglipImageProcessorPil(
        size={"height": side, "width": side}, image_mean=[0.5] * 3, image_std=[0.5] * 3, default_to_square=True
    )


def fresh_processor(config: SiglipConfig) -> SiglipProcessor:
    """For a model with random weights: a byte tokenizer, images of the configuration's size."""
    tokenizer = byte_tokenizer(config.text_config.max_position_embeddings)
    return SiglipProcessor(image_processor(config, config.vision_config.image_size), tokenizer)
