"""BridgeTower's inputs: RoBERTa's tokenizer, and images resized by Pillow, keeping their aspect, and cropped."""

from __future__ import annotations

from transformers import BridgeTowerConfig, BridgeTowerProcessor
from transformers.models.bridgetower.image_processing_pil_bridgetower import BridgeTowerImageProcessorPil

from ..family import InputSizes
from ..tokens import byte_tokenizer

_USUAL_TEXT = 50  # tokens; what BridgeTower was pre-trained and fine-tuned with


def sizes(config: BridgeTowerConfig) -> InputSizes:
    """Of the inputs of a model."""
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


def fresh_processor(config: BridgeTowerConfig) -> BridgeTowerProcessor:
    """For a model with random weights: a byte tokenizer, images of the configuration's size."""
    inputs = sizes(config)
    side = {"shortest_edge": inputs.image_size}
    images = BridgeTowerImageProcessorPil(size=side, crop_size=side, size_divisor=inputs.patch_size)
    return BridgeTowerProcessor(images, byte_tokenizer(inputs.longest_text))
