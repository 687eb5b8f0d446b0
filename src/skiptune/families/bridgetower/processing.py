"""BridgeTower's inputs: RoBERTa's tokenizer, and images resized by Pillow, keeping their aspect, and cropped."""

from __future__ import annotations

from transformers import BridgeTowerConfig, BridgeTowerProcessor
from transformers.models.bridgetower.image_processing_pil_bridgetower import BridgeTowerImageProcessorPil

from ..byte_tokenizer import byte_tokenizer
from ..family import InputSizes

_USUAL_TEXT = 50  # tokens; what BridgeTower was pre-trained and fine-tuned with


def sizes(config: BridgeTowerConfig) -> InputSizes:
    """Sizes of a model's inputs."""
    text, vision = config.text_config, config.vision_config
    # RoBERTa counts positions from the one after its padding index
    longest = text.max_position_embeddings - text.pad_token_id - 1
    return InputSizes(
        image_size=vision.image_size,
        patch_size=vision.patch_size,
        num_channels=vision.num_channels,
        vocab_size=text.vocab_size,
        text_length=min(_USUAL_TEXT, longest),
        longest_text=longest,
    )


def image_processor(config: BridgeTowerConfig, side: int) -> BridgeTowerImageProcessorPil:
    """Images keep their shape, the shorter side gets ``side`` pixels, and the middle square is kept.

    Before, sides are rounded down to multiples of transformers' 32; of a patch, where 32 do not divide ``side``.
    """
    edge, usual = {"shortest_edge": side}, BridgeTowerImageProcessorPil.size_divisor
    divisor = config.vision_config.patch_size if side % usual else usual
    return BridgeTowerImageProcessorPil(size=edge, crop_size=edge, size_divisor=divisor)


def fresh_processor(config: BridgeTowerConfig) -> BridgeTowerProcessor:
    """For a model with random weights: a byte tokenizer, images of the configuration's size."""
    inputs = sizes(config)
    return BridgeTowerProcessor(image_processor(config, inputs.image_size), byte_tokenizer(inputs.longest_text))
