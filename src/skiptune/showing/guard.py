"""What is let through to Gradio: the requests of this page and its client, and of files only uploads.

Gradio fetches an address that stands in place of an uploaded file, and has routes for developers. Neither is of use
here, and either would let a visitor use the machine for something else.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from .uploads import uploaded_file

_Message: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[_Message]]
_Send: TypeAlias = Callable[[_Message], Awaitable[None]]
_App: TypeAlias = Callable[[_Message, _Receive, _Send], Awaitable[None]]

_PREFIX = "/gradio_api"
_UPLOAD = f"{_PREFIX}/upload"
_ASK = f"{_PREFIX}/call/ask"
#: The arguments of ``/ask``, in their order.
ASKED = ("model", "picture", "text", "picture2", "options", "top")
#: Routes to which something may be sent.
_POSTS = tuple(f"{_PREFIX}/{name}" for name in ("queue/join", "call/ask", "cancel", "reset"))
#: Routes from which nothing is given: other servers, what developers change, and what was asked before.
_CLOSED = (
    "/monitoring",
    *(
        f"{_PREFIX}/{name}"
        for name in ("proxy=", "dev/", "vibe", "run-history", "runs", "profiling", "custom_component")
    ),
)
_FILES = (f"{_PREFIX}/file=", f"{_PREFIX}/file/")
#: Bytes of a request that is no upload.
_LONGEST = 2**20


class Guard:
    """An ASGI application around Gradio's; what it refuses gets a status and a sentence as JSON."""

    def __init__(self, app: _App) -> None:
        self._app = app

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path, method = str(scope["path"]), str(scope["method"])
        if path.startswith(_CLOSED) or (path.startswith(_FILES) and "://" in path):
            await _refuse(send, 404, "there is nothing here")
        elif method in ("GET", "HEAD", "OPTIONS") or path == _UPLOAD:
            await self._app(scope, receive, send)
        elif path.removesuffix("/") not in _POSTS:
            await _refuse(send, 404, "nothing can be sent here")
        else:
            await self._checked(scope, receive, send)

    async def _checked(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Pass a request on once its body is read and fine."""
        body = await _body(receive)
        if body is None:
            await _refuse(send, 413, f"the request has more than {_LONGEST:,} bytes; upload pictures first")
            return
        wrong = _wrong(str(scope["path"]), body)
        if wrong:
            await _refuse(send, 400, wrong)
            return
        given = False

        async def again() -> _Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        try:
            await self._app(scope, again, send)
        except KeyError:  # Gradio looks the number of a function up before it answers
            await _refuse(send, 404, "the page has no such function")


async def _body(receive: _Receive) -> bytes | None:
    """The whole body; ``None``: it is too long."""
    parts = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":  # the visitor is gone
            return bytes(parts)
        parts += message.get("body", b"")
        if len(parts) > _LONGEST:
            return None
        if not message.get("more_body"):
            return bytes(parts)


def _wrong(path: str, body: bytes) -> str:
    """What is wrong with the body of a request to ``path``; empty: nothing."""
    try:
        given = json.loads(body) if body.strip() else None
        names_uploads = _names_uploads(given)
    except (ValueError, RecursionError):
        return "the request is not JSON"
    if not names_uploads:
        return "a picture is a file that was uploaded here before, no other file and no address"
    if path.removesuffix("/") == _ASK and not _are_arguments(given.get("data") if isinstance(given, dict) else None):
        return (
            f"data: expected a list of {', '.join(ASKED)}; a picture is an object with the path of an upload, or null"
        )
    return ""


def _are_arguments(data: Any) -> bool:
    """Whether these are values for all arguments of ``/ask``, pictures where pictures are."""
    if not isinstance(data, list) or len(data) != len(ASKED):
        return False
    pictures = [value for name, value in zip(ASKED, data, strict=True) if name.startswith("picture")]
    return all(value is None or isinstance(value, dict) for value in pictures)


def _names_uploads(value: Any) -> bool:
    """Whether all files, anywhere inside, are uploads."""
    if isinstance(value, dict):
        is_file = not {"path", "url"}.isdisjoint(value)
        return (not is_file or uploaded_file(value.get("path")) is not None) and all(
            map(_names_uploads, value.values())
        )
    return not isinstance(value, list) or all(map(_names_uploads, value))


async def _refuse(send: _Send, status: int, sentence: str) -> None:
    content = json.dumps({"error": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
