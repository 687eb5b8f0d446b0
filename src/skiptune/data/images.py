"""Decode and resize each image once, as the family's processor does it, and keep the bytes within a memory limit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import InputError

_MEMORY_LIMIT = 2 * 2**30


class ImageStore:
    """Pixels by path: resized uint8 arrays ``(3, height, width)``, kept until ``memory_limit`` bytes are used."""

    def __init__(self, image_processor: Any, memory_limit: int = _MEMORY_LIMIT) -> None:
        self.image_processor = image_processor
        self.memory_limit = memory_limit
        self._kept: dict[Path, np.ndarray] = {}
        self._used = 0

    def pixels(self, path: Path) -> np.ndarray:
        """The resized image.

        Raises:
            InputError: the file is missing or not an image; the message names it.
        """
        if path in self._kept:
            return self._kept[path]
        try:
            with Image.open(path) as opened:
                image = opened.convert("RGB")
        except FileNotFoundError:
            raise InputError(f"image {path}: no such file") from None
        except Exception as error:  # Pillow's decoders raise whatever their format suggests
            raise InputError(f"image {path}: cannot be read ({error})") from None
        processed = self.image_processor(image, do_rescale=False, do_normalize=False, do_pad=False)
        pixels = np.asarray(processed["pixel_values"][0]).round().clip(0, 255).astype(np.uint8)
        if self._used + pixels.nbytes <= self.memory_limit:
            self._kept[path] = pixels
            self._used += pixels.nbytes
        return pixels

    def batch(self, paths: Sequence[Path]) -> dict[str, Tensor]:
        """``pixel_values`` (batch, 3, height, width) and, if sizes differ, ``pixel_mask`` (batch, height, width)."""
        arrays = [self.pixels(path) for path in paths]
        height, width = (max(array.shape[axis] for array in arrays) for axis in (1, 2))
        mean, std = (
            torch.tensor(getattr(self.image_processor, name), dtype=torch.float32)[:, None, None]
            for name in ("image_mean", "image_std")
        )
        values = torch.zeros(len(arrays), 3, height, width)
        mask = torch.zeros(len(arrays), height, width, dtype=torch.long)
        for number, array in enumerate(arrays):
            _, rows, columns = array.shape
            scaled = torch.from_numpy(array) * float(self.image_processor.rescale_factor)
            values[number, :, :rows, :columns] = (scaled - mean) / std
            mask[number, :rows, :columns] = 1
        return {"pixel_values": values} if bool(mask.all()) else {"pixel_values": values, "pixel_mask": mask}
