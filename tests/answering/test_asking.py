"""Questions of others: limits of their pictures, and captions one a line."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

import skiptune as st
from skiptune.answering.asking import lines
from skiptune.answering.picture_limits import PictureLimits


def encoded(width: int, height: int, kind: str = "PNG") -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (width, height)).save(buffer, kind)
    return buffer.getvalue()


def test_limits_of_pictures() -> None:
    limits = PictureLimits(megabytes=0.01, megapixels=0.01)
    limits.check(encoded(100, 100))
    with pytest.raises(st.InputError, match=r"101 × 100 pixels; at most 0.01 megapixels are taken"):
        limits.check(encoded(101, 100))
    with pytest.raises(st.InputError, match=r"the file has 0.0 MB; at most 0.01 MB are taken"):
        limits.check(encoded(100, 100, "BMP"))
    with pytest.raises(st.InputError, match="not JPEG"):
        limits.check(b"%!PS-Adobe-3.0 EPSF-3.0")


def test_lines() -> None:
    assert lines(" a dog \n\n\ta cat\r\n") == ["a dog", "a cat"]
