"""``skiptune serve``: models that answer over HTTP."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated

import typer

from .options import BackendOption, BaseOption, takes


@dataclass(frozen=True)
class ServeOptions:
    """The command line of ``skiptune serve``."""

    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="Directories of slim models or runs, or hub ids. NAME=MODEL gives one a name of its own.",
        ),
    ]
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0: everywhere.")] = "127.0.0.1"
    port: Annotated[int, typer.Option(min=1, max=65535, help="Likewise.")] = 8000
    replicas: Annotated[int, typer.Option(min=1, help="Processes that answer.")] = 1
    address: Annotated[str | None, typer.Option(help="A cluster of Ray, e.g. auto; by default this machine.")] = None
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of torch in each replica; by default all cores but one.")
    ] = None
    batch: Annotated[int, typer.Option(help="Questions that a model gets at a time, at most.")] = 32
    batch_wait: Annotated[float, typer.Option(help="Milliseconds to wait for as many as came last time.")] = 5
    queue: Annotated[int, typer.Option(help="Requests at a time; further ones are told that it is busy.")] = 64
    seconds: Annotated[float, typer.Option(help="For a request at most.")] = 30
    mebibytes: Annotated[float, typer.Option(help="Of a request's body at most.")] = 16
    megapixels: Annotated[float, typer.Option(help="Of a picture at most.")] = 16
    pictures: Annotated[int, typer.Option(help="In a request at most.")] = 8
    texts: Annotated[int, typer.Option(help="In a request at most, and options.")] = 32
    letters: Annotated[int, typer.Option(help="Of a text at most.")] = 10_000
    tokens: Annotated[int, typer.Option(help="Of an answer that a request asks for, at most.")] = 512
    base: BaseOption = None
    backend: BackendOption = None


@takes(ServeOptions)
def serve(options: ServeOptions) -> None:
    """Answer questions over HTTP: several models, in batches, within limits. Ctrl-C stops when all is answered.

    POST /v1/models/NAME/ask takes a picture and a question; /docs describes the rest. There is no password: put a proxy
    before it that asks for one, before others than you can reach it.
    """
    from ..answering.opened import named_folders
    from ..core.stop_signals import wait_for_stop
    from ..serving.deployment import Place, running
    from ..serving.limits import Limits

    limits = Limits(
        queue=options.queue,
        batch=options.batch,
        batch_wait=options.batch_wait,
        seconds=options.seconds,
        mebibytes=options.mebibytes,
        megapixels=options.megapixels,
        pictures=options.pictures,
        texts=options.texts,
        letters=options.letters,
        tokens=options.tokens,
    )
    threads = options.threads or max(1, (os.cpu_count() or 1) // options.replicas - 1)
    place = Place(options.host, options.port, options.replicas, threads, options.address)
    folders = named_folders(options.models)
    with running(folders, place, limits, options.backend, options.base) as address:
        for name in folders:
            typer.echo(f"{name}: {address}/v1/models/{name}/ask")
        typer.echo(f"ready; {address}/docs describes it, Ctrl-C stops it")
        wait_for_stop()
        typer.echo("stopping: what is asked already is answered first")
