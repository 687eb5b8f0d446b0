"""The images of conversations, decoded and as large as they are: transformers' own processor resizes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from ...core.errors import InputError
from ...data.damaged import Damaged
from ...data.images import EXIF_SWITCH, ImageStore
from ...data.pictures import Picture, name_of, size_of
from ...data.record import Record

#: Width and height of what stands in for an image that cannot be opened.
_SIZE = (384, 384)


class WholePictures(ImageStore):
    """Decoded images by picture, kept as :class:`~skiptune.data.images.ImageStore` keeps resized ones.

    Args:
        image_processor: the model's; ``None``: it reads texts alone.
        max_pixels: of an image; ``None``: all are taken.
        shrink: make larger ones smaller, in proportion, instead of refusing them.
    """

    def __init__(self, image_processor: Any, max_pixels: int | None = None, shrink: bool = False) -> None:
        super().__init__(image_processor)
        self.max_pixels, self.shrink = max_pixels, shrink

    def reporting(self, damaged: Damaged | None) -> WholePictures:
        other = WholePictures(self.image_processor, self.max_pixels, self.shrink)
        other.damaged, other._kept = damaged, self._kept
        return other

    def of_records(self, records: Sequence[Record]) -> list[list[Image.Image]]:
        """The images of every record, RGB.

        Raises:
            InputError: the model reads none.
        """
        if self.image_processor is None:
            refuse_images(records)
        return [
            [Image.fromarray(self.pixels(picture, record.place).transpose(1, 2, 0)) for picture in record.images]
            for record in records
        ]

    def refuse_larger(self, width: int, height: int, name: str) -> None:
        """Refuse an image of more than ``max_pixels``, unless such are made smaller.

        Raises:
            InputError: names the image.
        """
        if self.max_pixels is not None and not self.shrink and width * height > self.max_pixels:
            raise InputError(
                f"image {name}: {width} × {height} pixels are more than max_pixels ({self.max_pixels:,}) allows; allow "
                "more, or take larger_images: shrink"
            )

    def shrunk(self, width: int, height: int) -> tuple[int, int]:
        """The width and height that an image is given to the model in."""
        if self.max_pixels is None or width * height <= self.max_pixels:
            return width, height
        factor = math.sqrt(self.max_pixels / (width * height))
        return max(1, int(width * factor)), max(1, int(height * factor))

    def _resized(self, image: Image.Image, picture: Picture) -> np.ndarray:
        self.refuse_larger(image.width, image.height, name_of(picture))
        if (size := self.shrunk(*image.size)) != image.size:
            image = image.resize(size, Image.Resampling.BICUBIC)
        return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))

    def extent(self, pictures: Sequence[Picture]) -> float:
        """The pixels of all of them."""
        sizes = (self.shrunk(*(self._header_size(picture) or _SIZE)) for picture in pictures)
        return float(sum(width * height for width, height in sizes))

    def given_size(self, picture: Picture) -> tuple[int, int]:
        """The width and height that an image, or what stands in for it, is given to the model in. It is not decoded.

        Raises:
            InputError: it is larger than allowed.
        """
        size = self._header_size(picture)
        if size is None:
            return self.shrunk(*_SIZE)
        self.refuse_larger(*size, name_of(picture))
        return self.shrunk(*size)

    def _header_size(self, picture: Picture) -> tuple[int, int] | None:
        try:
            return size_of(picture, bool(getattr(self.image_processor, EXIF_SWITCH, True)))
        except InputError:
            return None

    def _stand_in(self, picture: Picture) -> np.ndarray:
        """As large as the image, so that it takes as many tokens."""
        mean = [round(255 * value) for value in getattr(self.image_processor, "image_mean", None) or (0.5, 0.5, 0.5)]
        width, height = self.shrunk(*(self._header_size(picture) or _SIZE))
        return np.tile(np.array(mean, dtype=np.uint8)[:, None, None], (1, height, width))


def refuse_images(records: Sequence[Record]) -> None:
    """Refuse records with images, for a model that reads texts alone.

    Raises:
        InputError: names the first one.
    """
    for record in records:
        if record.images:
            raise InputError(
                f"image {name_of(record.images[0])}: the model reads texts alone; take one that reads images, or leave "
                "them out"
            )
