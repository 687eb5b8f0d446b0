"""The HTTP interface of a service. Without Ray it is an ASGI application like any other."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ..version import __version__
from .asked import Ask
from .body import read_body
from .gate import Gate
from .interface_page import interface_page
from .refusal import RefusedError, refused
from .service import Service
from .told import Told, ToldError, ToldModel

if TYPE_CHECKING:
    from fastapi import FastAPI

_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
_ABOUT = "Models that answer questions about pictures. Pictures are sent, in base64 or as files of a form."
#: The statuses of a request that is not answered.
_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ToldError, "description": "The request is not valid, or the model cannot be asked this."},
    404: {"model": ToldError, "description": "There is no such model."},
    413: {"model": ToldError, "description": "The body is too large."},
    415: {"model": ToldError, "description": "The body is neither JSON nor a form."},
    503: {"model": ToldError, "description": "Busy; the header Retry-After says when to come again."},
    504: {"model": ToldError, "description": "There was no answer in time."},
}
_log = logging.getLogger(__name__)


def application(service: Service) -> FastAPI:
    """The application that serves ``service``."""
    from fastapi import FastAPI, Request, Response

    app = FastAPI(
        title="SkipTune", version=__version__, description=_ABOUT, docs_url=None, redoc_url=None,
        redirect_slashes=False,
    )  # fmt: skip
    app.add_middleware(Gate, service=service)
    _add_errors(app)
    _add_states(app, service)

    # FastAPI reads annotations, which are texts here: it would not find a class that is imported in a function.
    async def ask(name: str, request) -> Response:  # type: ignore[no-untyped-def]
        """Ask a model about the pictures that are sent."""
        service.refuse_unknown(name)
        told = await service.ask(name, await read_body(request, service.limits))
        return Response(told.model_dump_json(exclude_none=True), media_type="application/json")

    ask.__annotations__["request"] = Request
    app.post(
        "/v1/models/{name}/ask",
        response_model=Told,
        responses=_ERRORS,
        openapi_extra={"requestBody": _body_of_ask()},
    )(ask)

    @app.get("/v1/models")
    async def models() -> list[ToldModel]:
        """The models, and what they can be asked."""
        return service.told()

    for methods in app.openapi()["paths"].values():
        for about in methods.values():
            about["responses"].pop("422", None)  # FastAPI's own, which is never sent
    return app


def _add_states(app: FastAPI, service: Service) -> None:
    """Addresses for those who run the service."""
    from fastapi.responses import HTMLResponse, PlainTextResponse, Response

    @app.get("/healthz", response_class=PlainTextResponse)
    async def healthz() -> str:
        """Whether the process lives."""
        return "ok"

    async def readyz() -> Response:
        """Whether it takes requests: 503 while there is no place for one."""
        service.refuse_busy()
        return PlainTextResponse("ok")

    async def metrics() -> Response:
        """Counts, as Prometheus reads them; of several replicas those of the one that answers."""
        return PlainTextResponse(service.metrics.text(), media_type=_PROMETHEUS)

    async def docs() -> Response:
        """This interface, as a page that loads nothing."""
        return HTMLResponse(interface_page(app.openapi(), service.limits))

    for path, function in (("/readyz", readyz), ("/metrics", metrics), ("/docs", docs)):
        app.add_api_route(path, function, response_model=None, include_in_schema=path != "/docs")
    for path, check in (("/healthz", healthz), ("/readyz", readyz)):  # some who look ask for no body
        app.add_api_route(path, check, methods=["HEAD"], response_model=None, include_in_schema=False)


def _add_errors(app: FastAPI) -> None:
    """Every error as JSON with one sentence."""
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect

    async def not_taken(request: Any, error: Any) -> Any:
        return refused(error.status, error.sentence)

    async def not_there(request: Any, error: Any) -> Any:
        return refused(error.status_code, f"{request.method} {request.url.path}: {error.detail.lower()}; see /docs")

    async def gone(request: Any, error: Any) -> Any:
        return refused(400, "request: the body was cut off")

    async def failed(request: Any, error: Any) -> Any:
        _log.error("a request failed", exc_info=error)
        return refused(500, "the model failed; the log of the service says why")

    app.add_exception_handler(RefusedError, not_taken)
    app.add_exception_handler(HTTPException, not_there)
    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(Exception, failed)


def _body_of_ask() -> dict[str, Any]:
    """The body of a question, for OpenAPI; it is read within limits, and not by FastAPI."""
    schema = Ask.model_json_schema()
    files = {"type": "array", "items": {"type": "string", "format": "binary"}}
    form = {**schema, "properties": {**schema["properties"], "image": files}}
    return {
        "required": True,
        "content": {"application/json": {"schema": schema}, "multipart/form-data": {"schema": form}},
    }
