"""The images of conversations, decoded and as large as they are: transformers' own processor resizes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from ...core.errors import InputError
from ...data.damaged import Damaged
from ...data.images import ImageStore
from ...data.pictures import Picture, name_of
from ...data.record import Record


class WholePictures(ImageStore):
    """Decoded images by picture, kept as :class:`~skiptune.data.images.ImageStore` keeps resized ones.

    Args:
        image_processor: the model's; ``None``: it reads texts alone.
        max_pixels: images with more are refused; ``None``: all are taken.
    """

    def __init__(self, image_processor: Any, max_pixels: int | None = None) -> None:
        super().__init__(image_processor)
        self.max_pixels = max_pixels

    def reporting(self, damaged: Damaged | None) -> WholePictures:
        other = WholePictures(self.image_processor, self.max_pixels)
        other.damaged, other._kept = damaged, self._kept
        return other

    def of_records(self, records: Sequence[Record]) -> list[list[Image.Image]]:
        """The images of every record, RGB."""
        return [
            [Image.fromarray(self.pixels(picture, record.place).transpose(1, 2, 0)) for picture in record.images]
            for record in records
        ]

    def _resized(self, image: Image.Image, picture: Picture) -> np.ndarray:
        if self.max_pixels is not None and image.width * image.height > self.max_pixels:
            raise InputError(
                f"image {name_of(picture)}: {image.width} × {image.height} pixels are more than max_pixels "
                f"({self.max_pixels:,}) allows"
            )
        return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))
