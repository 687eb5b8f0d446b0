"""Pictures of a request: bytes that were sent, never a path or an address."""

from __future__ import annotations

import base64
import binascii

from ..core.errors import InputError
from ..core.validation import shortened


def from_base64(text: str) -> bytes:
    """The bytes of a picture.

    Raises:
        InputError: it is no base64, as a path or an address.
    """
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not found:
        raise InputError(
            f"image: {shortened(text)!r} is no picture in base64; send the bytes of the file, not its name or address"
        )
    return found
