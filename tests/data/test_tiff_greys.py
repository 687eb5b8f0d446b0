"""TIFF files whose pixels Pillow reads as they are not: each shows what its 8-bit twin shows."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from skiptune.data.pictures import decode

_RAMP = np.tile(np.linspace(0, 255, 40).round().astype(np.uint8), (6, 1))
_COLOURS = np.stack([_RAMP, 255 - _RAMP, np.full_like(_RAMP, 128)], -1)
_DEEP = _RAMP.astype(np.uint16) * 257
_FLOATS = (_RAMP / 255).astype(np.float32)


def tiff(planes: list[np.ndarray], big: bool, packed: bool, white_is_zero: bool = False, twelve: bool = False) -> bytes:
    """A file with channels each by itself: big-endian or not, compressed or not."""
    order, height, width = "<>"[big], *planes[0].shape
    given = [plane.astype(plane.dtype.newbyteorder(order)).tobytes() for plane in planes]
    if twelve:
        given = [_in_twelve_bits(plane) for plane in planes]
    data = [zlib.compress(part) if packed else part for part in given]
    colours, bits = len(planes), 12 if twelve else 8 * planes[0].dtype.itemsize
    photometric = 2 if colours == 3 else 0 if white_is_zero else 1
    kind = {"u": 1, "i": 2, "f": 3}[planes[0].dtype.kind]
    values = {256: [width], 257: [height], 258: [bits] * colours, 259: [8 if packed else 1], 262: [photometric]}
    values |= {273: [0] * colours, 277: [colours], 278: [height], 279: [len(part) for part in data]}
    values |= {284: [2 if colours == 3 else 1], 339: [kind] * colours}
    behind = 8 + 2 + 12 * len(values) + 4
    place = behind + sum(4 * len(entry) for entry in values.values() if len(entry) > 1)
    values[273] = [place + sum(map(len, data[:number])) for number in range(colours)]
    entries, rest = b"", b""
    for tag, entry in values.items():
        held = struct.pack(f"{order}{len(entry)}I", *entry)
        if len(entry) > 1:
            rest, held = rest + held, struct.pack(f"{order}I", behind + len(rest))
        entries += struct.pack(f"{order}HHI", tag, 4, len(entry)) + held
    start = (b"MM\0*" if big else b"II*\0") + struct.pack(f"{order}IH", 8, len(values))
    return start + entries + bytes(4) + rest + b"".join(data)


def _in_twelve_bits(plane: np.ndarray) -> bytes:
    pairs = plane.reshape(-1, 2).tolist()
    return b"".join(bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in pairs)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("big", [False, True])
def test_deep_greys_and_colours_are_those_of_eight_bits(big: bool, packed: bool) -> None:
    grey = np.repeat(_RAMP[..., None], 3, 2)
    deep = [plane.astype(np.uint16) * 257 for plane in np.moveaxis(_COLOURS, -1, 0)]
    cases = {
        "16 bits": (tiff([_DEEP], big, packed), grey),
        "floats": (tiff([_FLOATS], big, packed), grey),
        "floats, white is 0": (tiff([1 - _FLOATS], big, packed, white_is_zero=True), grey),
        "32 bits": (tiff([_RAMP.astype(np.int32)], big, packed), grey),
        "colours": (tiff(deep, big, packed), _COLOURS),
        "two values": (tiff([(_RAMP > 99).astype(np.float32)], big, packed), 255 * (grey > 99)),
    }
    if not big:  # Pillow refuses these otherwise
        cases["white is 0"] = tiff([65_535 - _DEEP], big, packed, white_is_zero=True), grey
        cases["12 bits"] = tiff([_DEEP >> 4], big, packed, twelve=True), grey
    for name, (file, expected) in cases.items():
        assert np.abs(np.asarray(decode(file)).astype(int) - expected).max() <= 1, name
