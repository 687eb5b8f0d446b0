"""Requests that a service must refuse, drawn at random."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

JSON = "application/json"
_FIELDS = ("image", "text", "top", "options", "seed", "stop", "max_new_tokens", "temperature")
_WRONG: tuple[Any, ...] = (
    None, True, -1, 1e308, {}, {"a": []}, [[]], [None], "/etc/passwd", "file:///etc/passwd", "http://127.0.0.1:1/a.png",
    "\x00", "x" * 50_000, ["/etc/hosts"] * 50, "aGVsbG8=", "../../../../etc/shadow",
)  # fmt: skip


def malformed(draw: random.Random, picture: bytes) -> tuple[str, bytes]:
    """The content type and the body of a request that cannot be answered.

    Args:
        draw: the generator.
        picture: an encoded one, parts of which are used.
    """
    kind = draw.randrange(6)
    good = {"image": base64.b64encode(picture).decode(), "text": "colour?"}
    if kind == 0:  # letters
        return JSON, draw.randbytes(draw.randrange(200))
    if kind == 1:  # cut off
        body = json.dumps(good).encode()
        return JSON, body[: draw.randrange(1, len(body) - 1)]
    if kind == 2:  # a picture that is cut off in its header, or other bytes
        broken = draw.choice([picture[: draw.randrange(1, 24)], draw.randbytes(300), b"MZ" + picture, b""])
        return JSON, json.dumps({**good, "image": base64.b64encode(broken).decode()}).encode()
    if kind == 3:  # a field that is not known
        return JSON, json.dumps({**good, draw.choice(("path", "url", "file", "__class__", "")): "/etc/passwd"}).encode()
    if kind == 4:  # a form that is none
        return "multipart/form-data; boundary=x", draw.choice([b"--x\r\n", b"--x--", b"", draw.randbytes(100)])
    return JSON, json.dumps({**good, "image": draw.choice(_WRONG), draw.choice(_FIELDS): draw.choice(_WRONG)}).encode()
