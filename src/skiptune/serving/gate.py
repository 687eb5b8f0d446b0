"""What every request passes first: a place in the queue, a time limit, and the count of how it ended."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from .refusal import LATE, RefusedError, refused
from .service import Service

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MODELS, _ASK = "/v1/models/", "/ask"


class Gate:
    """ASGI middleware. A request that finds the queue full is told so before its body is read.

    Args:
        app: what answers.
        service: counts.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _asks(scope):
            await self._app(scope, receive, send)
            return
        start, statuses = time.perf_counter(), [0]

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses[0] = message["status"]
            await send(message)

        try:
            await self._limited(scope, receive, counted, statuses)
        finally:
            name = _model(scope)
            known = name if self._service.known(name) else ""
            self._service.metrics.request(known, statuses[0], time.perf_counter() - start)

    async def _limited(self, scope: Scope, receive: Receive, send: Send, statuses: list[int]) -> None:
        service = self._service
        try:
            service.refuse_busy()
        except RefusedError as refusal:
            await refused(refusal.status, refusal.sentence)(scope, receive, send)
            return
        service.inside += 1
        service.metrics.inside(service.inside)
        try:
            await asyncio.wait_for(self._app(scope, receive, send), service.limits.seconds)
        except asyncio.TimeoutError:
            if not statuses[0]:
                sentence = f"no answer within {service.limits.seconds:g} s; ask less at a time, or later"
                await refused(LATE, sentence)(scope, receive, send)
        finally:
            service.inside -= 1
            service.metrics.inside(service.inside)


def _asks(scope: Scope) -> bool:
    path = str(scope["path"])
    return scope["method"] == "POST" and path.startswith(_MODELS) and path.endswith(_ASK)


def _model(scope: Scope) -> str:
    return str(scope["path"]).removeprefix(_MODELS).removesuffix(_ASK)
