"""How large a picture may be that somebody else sends."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.errors import InputError
from ..data.pictures import size_of

MEGABYTE, MEGAPIXEL = 1_000_000, 1_000_000


@dataclass(frozen=True)
class PictureLimits:
    """What a picture may take.

    Attributes:
        megabytes: of the file.
        megapixels: width times height; decoding takes 3 to 8 bytes for each pixel.
    """

    megabytes: float = 20
    megapixels: float = 50

    @property
    def most_bytes(self) -> int:
        """Of the file."""
        return round(self.megabytes * MEGABYTE)

    def check(self, content: bytes) -> None:
        """Refuse a file that is too large, no picture, or has too many pixels. Only its header is read.

        Raises:
            InputError: says which limit it is, or what is wrong with the file.
        """
        if len(content) > self.most_bytes:
            size = len(content) / MEGABYTE
            raise InputError(f"image: the file has {size:.1f} MB; at most {self.megabytes:g} MB are taken")
        refuse_pixels(content, self.megapixels)


def refuse_pixels(content: bytes, megapixels: float) -> None:
    """Refuse what is no picture, or has too many pixels, by its header.

    Raises:
        InputError: says what it is.
    """
    width, height = size_of(content)
    if width * height > megapixels * MEGAPIXEL:
        told = f"{width:,} × {height:,} pixels"
        raise InputError(f"image: {told}; at most {megapixels:g} megapixels are taken; make it smaller")
