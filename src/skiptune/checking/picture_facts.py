"""What can be told of a picture by decoding it once, small."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from PIL import Image

from ..core.errors import InputError, first_line
from ..data.eight_bits import to_rgb
from ..data.held_pictures import Held
from ..data.picture_files import open_picture
from ..data.pictures import Placed, Stored, decode, name_of

#: The side to which JPEG files are decoded: all their data are read, an eighth of the pixels is computed.
_SMALL = (96, 96)
#: Differences of 8-bit values that JPEG makes in a picture of one colour.
_ALIKE = 2


@dataclass(frozen=True)
class PictureFacts:
    """Of one picture.

    Attributes:
        width, height: in pixels.
        one_colour: all pixels are alike.
        pixels: a digest of them.
        problem: why it cannot be decoded; empty: it can.
    """

    width: int = 0
    height: int = 0
    one_colour: bool = False
    pixels: str = ""
    problem: str = ""


def facts_of(picture: Placed) -> PictureFacts:
    """Decode ``picture``; damage is told, not raised."""
    try:
        content = picture.content() if isinstance(picture, Held) else picture
        if isinstance(content, Image.Image):
            return _facts(content, content.size)
        with open_picture(content.read() if isinstance(content, Stored) else content) as opened:
            size = opened.size
            opened.draft("RGB", _SMALL)
            opened.load()
            return _facts(opened, size)
    except Exception as error:  # Pillow's decoders raise many kinds of exceptions
        return PictureFacts(problem=_words(picture, error))


def _words(picture: Placed, error: Exception) -> str:
    """What a training would say of the picture, without its name."""
    try:
        decode(picture)
    except InputError as told:
        return str(told).removeprefix(f"image {name_of(picture)}: ")
    return f"cannot be read ({first_line(error)})"


def _facts(image: Image.Image, size: tuple[int, int]) -> PictureFacts:
    plain = image if image.mode in ("L", "RGB") else to_rgb(image, False)
    ends = [end for band in plain.split() for end in (band.getextrema(),)]
    alike = all(isinstance(low, int) and high - low <= _ALIKE for low, high in ends)
    digest = hashlib.blake2b(repr(size).encode() + plain.mode.encode() + plain.tobytes(), digest_size=16)
    return PictureFacts(*size, alike, digest.hexdigest())
