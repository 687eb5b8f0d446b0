"""Decode and resize each image once, as the family's processor does it, and keep the bytes within a memory limit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import get_worker_info

from ..core.errors import InputError
from .augment import Varied
from .damaged import Damaged
from .pictures import Picture, Stored, decode

_MEMORY_LIMIT = 2 * 2**30
_REPLACEMENT_SIDE = 384


class ImageStore:
    """Pixels by picture: resized uint8 arrays ``(3, height, width)``, kept until ``memory_limit`` bytes are used.

    In a DataLoader's workers each process has its own store, with its share of the limit.

    Args:
        image_processor: the model's.
        memory_limit: bytes to keep.
        damaged: what to do about images that cannot be decoded; without it they raise.
    """

    def __init__(self, image_processor: Any, memory_limit: int = _MEMORY_LIMIT, damaged: Damaged | None = None) -> None:
        self.image_processor = image_processor
        self.memory_limit = memory_limit
        self.damaged = damaged
        self._kept: dict[Path | Stored, np.ndarray] = {}
        self._used = 0

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_kept": {}, "_used": 0}

    def pixels(self, picture: Picture | Varied) -> np.ndarray:
        """The resized image. Files and stored images are cached; images in memory and varied ones are not.

        Raises:
            InputError: the file is missing or not an image; the message names it. With ``damaged`` set, only when too
                many are; a grey image stands in for the others.
        """
        if isinstance(picture, Varied):
            image = Image.fromarray(self.pixels(picture.picture).transpose(1, 2, 0))
            return np.array(picture.policy(image, picture.draw)).transpose(2, 0, 1)  # a copy: Pillow's is read-only
        key = picture if isinstance(picture, Path | Stored) else None
        if key is not None and key in self._kept:
            return self._kept[key]
        processed = self.image_processor(self._decoded(picture), do_rescale=False, do_normalize=False, do_pad=False)
        pixels = np.asarray(processed["pixel_values"][0]).round().clip(0, 255).astype(np.uint8)
        worker = get_worker_info()
        limit = self.memory_limit // (worker.num_workers if worker else 1)
        if key is not None and self._used + pixels.nbytes <= limit:
            self._kept[key] = pixels
            self._used += pixels.nbytes
        return pixels

    def batch(self, pictures: Sequence[Picture | Varied]) -> dict[str, Tensor]:
        """``pixel_values`` (batch, 3, height, width) and, if sizes differ, ``pixel_mask`` (batch, height, width)."""
        arrays = [self.pixels(picture) for picture in pictures]
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

    def _decoded(self, picture: Picture) -> Image.Image:
        try:
            image = decode(picture)
        except InputError as error:
            if self.damaged is None:
                raise
            self.damaged.add(str(error))
            mean = tuple(round(255 * value) for value in self.image_processor.image_mean)
            return Image.new("RGB", (_REPLACEMENT_SIDE, _REPLACEMENT_SIDE), mean)
        if self.damaged is not None:
            self.damaged.good()
        return image
