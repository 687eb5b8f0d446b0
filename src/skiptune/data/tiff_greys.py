"""What Pillow leaves undone in TIFF files: byte orders, bits and greys that it does not bring to their usual form."""

from __future__ import annotations

from typing import Any

from PIL import Image

_BITS, _PHOTOMETRIC, _PLANES = 258, 262, 284
_WHITE_IS_ZERO, _EACH_BY_ITSELF = 0, 2
#: Compressed values are in this machine's order already when Pillow turns their bytes round once more.
_IN_ORDER = {"F;32BF": "F;32NF", "I;32BS": "I;32NS", "I;16BS": "I;16NS"}


def mend_tiles(image: Image.Image) -> None:
    """Correct how the pixels of a TIFF file are to be decoded, before they are.

    Pillow turns the bytes of big-endian greys of 32 bits twice where they are compressed, and takes channels of 16
    bits, each by itself, for such of 8.
    """
    tags, tiles = _tags(image), getattr(image, "tile", [])
    deep = max(tags.get(_BITS, (8,))) == 16 and tags.get(_PLANES) == _EACH_BY_ITSELF
    for number, tile in enumerate(tiles if tags else ()):
        codec, extents, offset, arguments = tile
        if not isinstance(arguments, tuple) or not isinstance(arguments[0], str):
            continue
        mode = arguments[0]
        if codec == "libtiff":
            mode = _IN_ORDER.get(mode, mode)
        elif codec == "raw" and deep and len(mode) == 1:
            mode += ";16B" if tags.prefix == b"MM" else ";16L"
        make = getattr(tile, "_make", tuple)  # Pillow 10 has plain tuples
        tiles[number] = make((codec, extents, offset, (mode, *arguments[1:])))


def bits_of_greys(image: Image.Image) -> int:
    """How many bits of greys of up to 16 are used: TIFF files may have 12."""
    return int(_tags(image).get(_BITS, (16,))[0])


def white_is_zero(image: Image.Image) -> bool:
    """Whether greys are written upside down, as TIFF files may have them. Pillow turns those of up to 8 bits only."""
    return bool(_tags(image).get(_PHOTOMETRIC) == _WHITE_IS_ZERO)


def _tags(image: Image.Image) -> Any:
    """The tags of a TIFF file; empty for other pictures."""
    return getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
