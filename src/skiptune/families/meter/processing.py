"""METER's inputs: RoBERTa's tokenizer, and square images with CLIP's mean and spread, resized by Pillow."""

from __future__ import annotations

from typing import Any

from transformers import ProcessorMixin
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from ..byte_tokenizer import byte_tokenizer
from ..family import InputSizes
from .configuration import MeterConfig


class MeterProcessor(ProcessorMixin):
    """Tokenizer and image processor in one, as transformers has it for other families."""

    def __init__(self, image_processor: Any = None, tokenizer: Any = None) -> None:
        super().__init__(image_processor, tokenizer)

    @classmethod
    def square(cls, side: int, tokenizer: Any) -> MeterProcessor:
        """Images are resized to ``side`` × ``side`` pixels (bicubic), whatever their aspect ratio, and not cropped."""
        return cls(square_images(side), tokenizer)


def square_images(side: int) -> CLIPImageProcessorPil:
    """What :meth:`MeterProcessor.square` does to images."""
    return CLIPImageProcessorPil(size={"height": side, "width": side}, do_center_crop=False)


def sizes(config: MeterConfig) -> InputSizes:
    """Sizes of a model's inputs."""
    return InputSizes(
        image_size=config.image_size,
        patch_size=config.vision_config.patch_size,
        num_channels=config.vision_config.num_channels,
        vocab_size=config.text_config.vocab_size,
        text_length=config.max_text_length,
        longest_text=config.max_text_length,
    )


def fresh_processor(config: MeterConfig) -> MeterProcessor:
    """For a model with random weights: a byte tokenizer, images of the configuration's size."""
    return MeterProcessor.square(config.image_size, byte_tokenizer(config.max_text_length))
