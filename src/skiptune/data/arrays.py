"""Pictures that are given as arrays of numbers: NumPy's, or torch's tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

#: Numbers of colours: grey, with transparency, red-green-blue, with transparency.
_COLOURS = (1, 2, 3, 4)
_LARGEST, _SIXTEEN = 255, 65_535
#: Of whole numbers, and of fractions: the largest of each range, the smaller one first.
_RANGES = ((_LARGEST, _SIXTEEN), (1, _LARGEST))
_EXPECTED = "whole numbers 0 to 255 or 0 to 65,535, or fractions 0 to 1 or 0 to 255"


def is_array(value: object) -> bool:
    """Whether it is an array of NumPy or a tensor of torch."""
    return isinstance(value, np.ndarray) or _is_tensor(value)


def axes_of(value: Any) -> int:
    """The number of axes of an array or tensor."""
    return int(value.ndim)


def picture_of_array(value: Any) -> Image.Image:
    """The picture in an array, which is copied.

    Args:
        value: ``(height, width)`` greys, or with colours first, ``(colours, height, width)``, as torch has them, or
            last, as NumPy and Pillow do. Where both could be meant, a tensor has them first, an array last. Whole
            numbers from 0 to 255 or 65,535 or fractions from 0 to 1 or 255: the smaller range that holds them all.

    Raises:
        ValueError: another shape, no pixels, other numbers.
    """
    array, tensor = value, _is_tensor(value)
    if tensor:  # NumPy has no bfloat16
        array = (value.detach().float() if value.is_floating_point() else value).cpu().numpy()
    return Image.fromarray(np.ascontiguousarray(_bytes(_colours_last(array, tensor))))


def _is_tensor(value: object) -> bool:
    return type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "is_floating_point")


def _colours_last(array: np.ndarray, first: bool) -> np.ndarray:
    """``(height, width)`` or ``(height, width, colours)``; ``first``: where they are if both ends could be."""
    if not array.size or array.ndim not in (2, 3):
        raise ValueError(f"an array of shape {array.shape}; expected (height, width) or three colours first or last")
    if array.ndim == 2:
        return array
    ends = [axis for axis in ((0, 2) if first else (2, 0)) if array.shape[axis] in _COLOURS]
    if not ends:
        raise ValueError(f"an array of shape {array.shape}; expected (height, width) or three colours first or last")
    found = np.moveaxis(array, ends[0], 2)
    return found[..., 0] if found.shape[2] == 1 else found


def _bytes(array: np.ndarray) -> np.ndarray:
    """The numbers as bytes, in the ranges that :func:`~skiptune.data.eight_bits.to_rgb` knows."""
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * _LARGEST
    if array.dtype.kind not in "iuf":
        raise ValueError(f"an array of {array.dtype}; expected {_EXPECTED}")
    low, high = float(array.min()), float(array.max())
    most = next((most for most in _RANGES[array.dtype.kind == "f"] if high <= most), None)
    if most is None or not low >= 0:  # NaN is neither
        raise ValueError(f"numbers from {low:.4g} to {high:.4g}; expected {_EXPECTED}, not scaled by a processor yet")
    if array.dtype == np.uint16 or most == _SIXTEEN:
        return (array.astype(np.uint16) >> 8).astype(np.uint8)
    return (array * (_LARGEST / most)).round().astype(np.uint8)
