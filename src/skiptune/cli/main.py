"""The command line. Wrong input ends with exit code 2, failed work with 1, each with a sentence, never a traceback."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from ..core.distributed import alike, is_peer_failure, leave, processes, rank
from ..core.errors import InputError, PeerError, RunError
from ..core.process import is_disk_failure, is_memory_failure, keep_freed_memory, quiet_libraries
from ..version import __version__
from .bench_command import bench
from .compare_command import compare
from .cost_command import cost
from .data_command import app as data
from .demo_command import demo
from .evaluate_command import evaluate
from .export_command import export
from .init_command import init
from .model_commands import convert, models, pretrain
from .predict_command import predict
from .recipes_command import recipes
from .run_commands import report, run, search, train
from .serve_command import serve

#: Seconds to wait for the failing process to print its error: the launcher ends all processes as soon as one has ended.
_COURTESY = 2.0
#: The exit code after Ctrl-C, as shells have it.
_STOPPED = 130
#: Commands that several processes can share, as ``torchrun`` starts them.
_OF_SEVERAL_PROCESSES = ("run", "search", "train")

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
    help="Adapt a vision-language Transformer with a few percent of its parameters and fewer operations.\n\n"
    "A first run: [bold]skiptune run easy-vqa-demo[/bold]. With data of your own: [bold]skiptune init FOLDER[/bold] "
    "looks at it and writes a recipe to run. See [bold]skiptune models[/bold] for models and recipes.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    if processes() > 1 and context.invoked_subcommand not in _OF_SEVERAL_PROCESSES:
        raise alike(InputError(f"skiptune {context.invoked_subcommand} works in one process; start it by itself"))


# in the order in which ``skiptune --help`` lists them
for _command in (
    init, run, recipes, search, compare, train, evaluate, export, convert, predict, demo, serve, cost, bench, models,
    report, pretrain,
):  # fmt: skip
    app.command()(_command)
app.add_typer(data, name="data")


def _tell_of_the_stop() -> None:
    if rank() == 0:
        typer.echo("stopped; run the same command again to go on", err=True)


def main() -> None:
    """Entry point of the ``skiptune`` command."""
    quiet_libraries()
    keep_freed_memory()
    try:
        app()
    except InputError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except PeerError:
        time.sleep(_COURTESY)
        sys.exit(1)
    except (RunError, OSError, MemoryError) as error:
        typer.echo(f"failed: {error}", err=True)
        sys.exit(1)
    except Exception as error:
        if processes() > 1 and is_peer_failure(error):
            typer.echo("failed: another process of this job ended; run the same command again to go on", err=True)
            sys.exit(1)
        if not (is_disk_failure(error) or is_memory_failure(error)):
            raise
        what = "a file could not be written" if is_disk_failure(error) else "there is not enough memory"
        typer.echo(f"failed: {what}: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        _tell_of_the_stop()
        sys.exit(_STOPPED)
    except SystemExit as end:
        if end.code == _STOPPED:  # as typer ends after Ctrl-C, without a word
            _tell_of_the_stop()
        raise
    finally:
        leave()


if __name__ == "__main__":
    main()
