"""METER's inputs: RoBERTa's tokenizer, and the middle of images with CLIP's mean and spread, resized by Pillow."""

from __future__ import annotations

from typing import Any

import numpy as np
from transformers import ProcessorMixin
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from ..byte_tokenizer import byte_tokenizer
from ..family import InputSizes
from .configuration import MeterConfig

#: Longer images lose their ends before they are resized, which would take memory for what is cropped later.
_LONGEST = 16


class MeterImageProcessor(CLIPImageProcessorPil):
    """As the released code has it, in training and in tests: the shorter side is resized (bicubic) and the middle kept.

    Settings saved with a model go before that: models of earlier versions squash the whole image to a square.
    """

    def resize(self, image: np.ndarray, size: Any, resample: Any = None, **given: Any) -> np.ndarray:
        """Resize ``(channels, height, width)``; ``size`` names the shorter side, or height and width."""
        if size.shortest_edge:
            most = _LONGEST * min(image.shape[1:])
            image = _middle(image, min(image.shape[1], most), min(image.shape[2], most))
        resized: np.ndarray = super().resize(image, size, resample, **given)
        return resized

    def center_crop(self, image: np.ndarray, size: Any, **given: Any) -> np.ndarray:
        """The middle of ``(channels, height, width)``, at the pixel that torchvision's ``CenterCrop`` begins at."""
        if min(image.shape[1] - size.height, image.shape[2] - size.width) < 0:  # is filled up
            filled: np.ndarray = super().center_crop(image, size, **given)
            return filled
        return _middle(image, size.height, size.width)


def _middle(image: np.ndarray, height: int, width: int) -> np.ndarray:
    top, left = (round((whole - part) / 2) for whole, part in zip(image.shape[1:], (height, width), strict=True))
    return image[:, top : top + height, left : left + width]


class MeterProcessor(ProcessorMixin):
    """Tokenizer and image processor in one, as transformers has it for other families."""

    def __init__(self, image_processor: Any = None, tokenizer: Any = None) -> None:
        super().__init__(image_processor, tokenizer)

    @classmethod
    def square(cls, side: int, tokenizer: Any) -> MeterProcessor:
        """Images are resized to ``side`` × ``side`` pixels (bicubic), whatever their aspect ratio, and not cropped."""
        return cls(MeterImageProcessor(size={"height": side, "width": side}, do_center_crop=False), tokenizer)


def image_processor(config: MeterConfig, side: int) -> MeterImageProcessor:
    """The shorter side gets ``side`` pixels, and the middle square is kept."""
    return MeterImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})


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
    return MeterProcessor(image_processor(config, config.image_size), byte_tokenizer(config.max_text_length))
