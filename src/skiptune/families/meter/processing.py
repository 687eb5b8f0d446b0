"""METER's inputs: RoBERTa's tokenizer, and square images with CLIP's mean and spread, resized by Pillow."""

from __future__ import annotations

from typing import Any

from tokenizers.pre_tokenizers import ByteLevel
from transformers import ProcessorMixin, RobertaTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from .configuration import MeterConfig


class MeterProcessor(ProcessorMixin):
    """Tokenizer and image processor under one roof, as the other families of transformers have it."""

    def __init__(self, image_processor: Any = None, tokenizer: Any = None) -> None:
        super().__init__(image_processor, tokenizer)

    @classmethod
    def square(cls, side: int, tokenizer: Any) -> MeterProcessor:
        """Images are resized to ``side`` × ``side`` pixels (bicubic), whatever their aspect ratio, and not cropped."""
        return cls(square_images(side), tokenizer)


def square_images(side: int) -> CLIPImageProcessorPil:
    """What :meth:`MeterProcessor.square` does to images."""
    return CLIPImageProcessorPil(size={"height": side, "width": side}, do_center_crop=False)


def byte_tokenizer(longest: int) -> RobertaTokenizer:
    """A RoBERTa tokenizer without a learned vocabulary: one token a byte, RoBERTa's numbers for the special tokens."""
    words = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet()), "<mask>"]
    return RobertaTokenizer(vocab={word: number for number, word in enumerate(words)}, model_max_length=longest)


def fresh_processor(config: MeterConfig) -> MeterProcessor:
    """For a model with random weights: a byte tokenizer, images of the configuration's size."""
    return MeterProcessor.square(config.image_size, byte_tokenizer(config.max_text_length))
