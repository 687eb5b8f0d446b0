"""Pictures of every kind as red, green and blue of 8 bits, upright, on white."""

from __future__ import annotations

import numpy as np
from PIL import Image

from .tiff_greys import bits_of_greys, mend_tiles, white_is_zero

#: The EXIF tag, and what makes a picture upright again, by its value.
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
_WHITE = np.uint8(255)
_LARGEST = 65_535
#: By how much floats may lie outside their range and are cut off, as a share of it: filters overshoot by less.
_OVERSHOOT = 0.1


def to_rgb(image: Image.Image, upright: bool = True) -> Image.Image:
    """The picture as RGB.

    Transparent parts show white. Of 12 or 16 bits the upper 8 are kept. Greys of 32 bits do not tell their range:
    floats are taken as 0 to 1 or 0 to 255, whole numbers as 0 to 255 or 0 to 65,535, the smaller range that holds them
    all.

    Args:
        image: of any of Pillow's modes; its pixels may still have to be decoded.
        upright: turn it as its EXIF orientation says. TIFF files are always turned.

    Raises:
        ValueError: greys outside these ranges, or a mode that has no colours to show.
        Exception: what Pillow raises about damaged pixels, of many kinds.
    """
    mend_tiles(image)
    image.load()
    turn = _TURNS.get(_orientation(image)) if upright else None
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        found = Image.fromarray(_greys(image)).convert("RGB")
    elif image.mode in _WITH_ALPHA or "transparency" in image.info:
        whole = image.convert("LA") if image.mode == "La" else image
        whole = whole.convert("RGBA")
        found = Image.new("RGB", image.size, "white")
        found.paste(whole.convert("RGB"), mask=whole.getchannel("A"))
    else:
        found = image if image.mode == "RGB" else image.convert("RGB")  # large ones are not copied
    return found if turn is None else found.transpose(turn)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1, upright, where EXIF is missing or damaged."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # Pillow's readers of metadata raise many kinds of exceptions; the pixels are good
        return 1


def _greys(image: Image.Image) -> np.ndarray:
    """Greys of more than 8 bits as ``(height, width)`` uint8; a PNG's transparent grey is white."""
    values = np.asarray(image)
    if image.mode.startswith("I;"):
        found = (values >> bits_of_greys(image) - 8).astype(np.uint8)
    elif image.mode == "F":
        found = _of_floats(values)
    else:
        found = _of_integers(values)
    if white_is_zero(image):
        found = _WHITE - found
    transparent = image.info.get("transparency")
    return np.where(values == transparent, _WHITE, found) if isinstance(transparent, int) else found


def _of_floats(values: np.ndarray) -> np.ndarray:
    """0 to 1, or 0 to 255, as uint8."""
    low, high = float(values.min()), float(values.max())
    for top in (1, 255):
        if -_OVERSHOOT * top <= low and high <= (1 + _OVERSHOOT) * top:
            return (values.clip(0, top) * np.float32(255 / top)).round().astype(np.uint8)
    raise ValueError(f"greys from {low:g} to {high:g}; expected 0 to 1 or 0 to 255")


def _of_integers(values: np.ndarray) -> np.ndarray:
    """0 to 255, or 0 to 65,535, as uint8."""
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > _LARGEST:
        raise ValueError(f"greys from {low} to {high}; expected 0 to 255 or 0 to 65535")
    return (values if high <= 255 else values >> 8).astype(np.uint8)
