"""Serve the page until it is stopped."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..answering.asking import Question, ask
from ..answering.picture_limits import PictureLimits
from ..core.errors import InputError, RunError
from ..core.extras import require_extra
from ..tasks.generation.task import Generation
from .shown_model import ShownModel
from .uploads import uploads_folder

#: Addresses that Gradio looks at once to see whether the page is there; a proxy would not know them.
_HERE = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Place:
    """Where the page is served.

    Attributes:
        host: address of the machine to listen at.
        port: of it; ``None``: the first free one from 7860 on.
        queue_size: how many questions may wait; more are refused.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    queue_size: int = 32


@contextmanager
def served(models: Sequence[ShownModel], limits: PictureLimits, place: Place) -> Iterator[str]:
    """Context in which the page is served; with its address.

    Raises:
        InputError: Gradio is not installed, or the port is taken.
    """
    _prepare()
    require_extra("demo", "gradio")
    from .page import SCRIPT, make_page, styles, theme

    page = make_page(models, limits)
    try:
        _, address, _ = page.queue(max_size=place.queue_size).launch(
            server_name=place.host,
            server_port=place.port,
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            max_file_size=limits.most_bytes,
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            mcp_server=False,
            pwa=False,
            theme=theme(),
            css=styles(),
            js=SCRIPT,
            app_kwargs={"middleware": _guards()},
        )
    except OSError as error:
        raise InputError(f"--port: the page cannot be served at {place.host}, port {place.port} ({error})") from None
    try:
        yield str(address)
    finally:
        page.close(verbose=False)


def warm_up(models: Sequence[ShownModel]) -> None:
    """Ask each model once, so that the first visitor does not wait for what is done once."""
    from io import BytesIO

    from PIL import Image

    grey = BytesIO()
    Image.new("RGB", (64, 64), (128, 128, 128)).save(grey, "PNG")
    for model in models:
        task, pipeline = model.pipeline.task, model.pipeline
        if isinstance(task, Generation):
            pipeline = pipeline.with_decoding(max_new_tokens=1)
        picture2 = grey.getvalue() if task.number > 1 else None
        try:
            ask(pipeline, Question(grey.getvalue(), "what is it?", picture2))
        except (InputError, RunError):  # a model that takes no such picture says so where it is asked
            continue


def _guards() -> list[Any]:
    from starlette.middleware import Middleware

    from .guard import Guard

    return [Middleware(Guard)]


def _prepare() -> None:
    """Settings that Gradio reads where it is imported, or later: no reports, uploads in the process's own folder."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(uploads_folder())
    for name in ("no_proxy", "NO_PROXY"):
        known = os.environ.get(name, "")
        os.environ[name] = ",".join(dict.fromkeys([*filter(None, known.split(",")), *_HERE]))
