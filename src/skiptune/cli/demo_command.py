"""``skiptune demo``: a page on which models are asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from .options import BackendOption, BaseOption, takes


@dataclass(frozen=True)
class DemoOptions:
    """The command line of ``skiptune demo``."""

    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Slim models or runs, by directory or hub id; NAME=MODEL names one."),
    ]
    original: Annotated[
        bool, typer.Option("--original", help="Beside each, the same model with all blocks of its base.")
    ] = False
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 lets other machines in.")] = "127.0.0.1"
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="By default the first free one from 7860.")] = None
    queue_size: Annotated[int, typer.Option(min=1, help="Questions that may wait; more are refused.")] = 32
    max_megabytes: Annotated[float, typer.Option(min=0.001, help="Size of a picture's file at most.")] = 20
    max_megapixels: Annotated[float, typer.Option(min=0.001, max=67, help="Pixels of a picture at most.")] = 50
    base: BaseOption = None
    backend: BackendOption = None


@takes(DemoOptions)
def demo(options: DemoOptions) -> None:
    """Show models on a page in the browser: a picture and a question in, answers, probabilities and times out.

    Several models answer side by side; those on one base share its weights. Ctrl-C stops it. Needs the extra demo.
    """
    from ..answering.opened import named_folders, open_models
    from ..answering.picture_limits import PictureLimits
    from ..core.errors import InputError
    from ..core.extras import require_extra
    from ..core.listening import refuse_taken
    from ..core.stop_signals import wait_for_stop
    from ..showing.show import Place, served, warm_up
    from ..showing.shown_model import shown_models

    folders = named_folders(options.models)
    if options.original and options.backend not in (None, "torch"):
        raise InputError("--original: with --backend torch alone, or its times could not be compared")
    require_extra("demo", "gradio")
    refuse_taken(options.host, options.port)
    models = shown_models(open_models(folders, options.backend, options.base), options.original, options.base)
    warm_up(models)
    limits = PictureLimits(options.max_megabytes, options.max_megapixels)
    with served(models, limits, Place(options.host, options.port, options.queue_size)) as address:
        typer.echo(f"asking {', '.join(model.name for model in models)} at {address} (Ctrl-C stops)")
        wait_for_stop()
