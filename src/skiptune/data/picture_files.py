"""Open encoded pictures: by the named formats only, and never more pixels than memory can hold."""

from __future__ import annotations

import io
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

#: Most pixels of a picture, as many as 8,192 × 8,192 have. Decoding takes 3 to 8 bytes for each.
MOST_PIXELS = 2**26
#: Formats by the bytes that a file begins with. An MPO file is opened as the JPEG that it begins with. Pillow's
#: ``Image.open`` would also try formats that start other programs (EPS), and warn of large pictures instead of
#: refusing them; its classes for single formats do neither.
_FORMATS: dict[bytes, type[ImageFile]] = {
    b"\xff\xd8\xff": JpegImageFile,
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"GIF87a": GifImageFile,
    b"GIF89a": GifImageFile,
    b"RIFF": WebPImageFile,
    b"BM": BmpImageFile,
    b"II*\0": TiffImageFile,
    b"MM\0*": TiffImageFile,
    b"II+\0": TiffImageFile,
    b"MM\0+": TiffImageFile,
}
_LONGEST = max(map(len, _FORMATS))
#: PNG: how pixels of few bits are stretched to 8, which Pillow does not do to the transparent grey beside them.
_STRETCHED = {"1": 255, "L;2": 85, "L;4": 17}
_TILE_WIDTH, _TILE_HEIGHT = 322, 323


@contextmanager
def open_picture(source: Path | bytes) -> Iterator[ImageFile]:
    """Context with the first frame of a picture, whose header is read and whose pixels are not decoded yet.

    Args:
        source: a file, or encoded bytes.

    Raises:
        FileNotFoundError: no such file.
        ValueError: of no known format, or with too many pixels.
        Exception: what Pillow raises about damaged headers, of many kinds.
    """
    with _opened(source) as file:
        image_class = _class_of(file.read(_LONGEST))
        if image_class is GifImageFile:
            refuse_large(_size_of_gif(file))
        file.seek(0)
        with image_class(file) as image:
            refuse_large(image.size)
            if isinstance(image, TiffImageFile):
                refuse_large(int(image.tag_v2.get(tag, 1)) for tag in (_TILE_WIDTH, _TILE_HEIGHT))
            if isinstance(image, PngImageFile):
                _stretch_transparent(image)
            yield image


def refuse_large(size: Iterator[int] | tuple[int, int]) -> None:
    """Refuse a picture with too many pixels.

    Raises:
        ValueError: it has more than :data:`MOST_PIXELS`.
    """
    width, height = size
    if width * height > MOST_PIXELS:
        raise ValueError(f"{width:,} × {height:,} pixels; at most {MOST_PIXELS:,} are decoded; make it smaller")


def _opened(source: Path | bytes) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if not stat.S_ISREG(source.stat().st_mode):  # a pipe would wait for a writer for ever
        raise ValueError("not a file")
    return source.open("rb")


def _class_of(start: bytes) -> type[ImageFile]:
    for signature, image_class in _FORMATS.items():
        if start.startswith(signature):
            return image_class
    raise ValueError("empty file" if not start else "not JPEG, PNG, GIF, WEBP, BMP or TIFF")


def _size_of_gif(file: BinaryIO) -> tuple[int, int]:
    """Width and height up to the end of the first frame, to which Pillow extends the picture."""
    file.seek(10)
    flags = file.read(3)[0]
    if flags & 128:
        file.seek(3 << (flags & 7) + 1, io.SEEK_CUR)
    while (kind := file.read(1)) not in (b",", b""):
        if kind == b"!":
            file.seek(1, io.SEEK_CUR)
            while length := (file.read(1) or b"\0")[0]:
                file.seek(length, io.SEEK_CUR)
    place = file.read(8)
    if len(place) < 8:
        raise ValueError("cut off")
    left, top, width, height = struct.unpack("<4H", place)
    return left + width, top + height


def _stretch_transparent(image: PngImageFile) -> None:
    """Bring the transparent colour of a PNG to 8 bits, as Pillow does with the pixels."""
    given = image.info.get("transparency")
    form = image.tile[0][3] if image.tile else None
    if form == "RGB;16B" and isinstance(given, tuple):
        image.info["transparency"] = tuple(value >> 8 for value in given)
    elif isinstance(form, str) and form in _STRETCHED and isinstance(given, int):
        image.info["transparency"] = given * _STRETCHED[form]
