"""The size of a typical prompt, for which costs and latency are stated."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ...families.chat_processor import ChatProcessor


def prompt_size(batch: Mapping[str, Tensor], images: int, processor: ChatProcessor) -> tuple[tuple[int, int], int]:
    """(height, width) of an image in pixels, as the model takes it, and tokens of text beside those of images.

    Args:
        batch: prompts, as :meth:`~skiptune.tasks.generation.inputs.ChatInputs.prompts` gives them.
        images: how many there are in it; 0: the size is (0, 0).
        processor: of the model.
    """
    ids, there = batch["input_ids"], batch["attention_mask"].bool()
    words = there & (ids != processor.image_number) if processor.sees else there
    return _image_size(batch, images, processor) if images else (0, 0), int(words.sum(1).max())


def _image_size(batch: Mapping[str, Tensor], images: int, processor: ChatProcessor) -> tuple[int, int]:
    if "image_grid_thw" in batch:  # patches of any number
        patch = processor.image_processor.patch_size
        _, high, wide = batch["image_grid_thw"][0].tolist()
        return high * patch, wide * patch
    if "image_sizes" in batch:  # tiles of the best of several sizes
        height, width = batch["image_sizes"][0].tolist()
        return height, width
    pixels = batch["pixel_values"]
    height, width = pixels.shape[-2:]
    tiles = pixels.shape[1] if pixels.ndim == 5 else len(pixels) // images
    pieces = tiles - 1 if tiles > 1 else 1  # beside several pieces stands a small copy of the whole
    return height, width * pieces
