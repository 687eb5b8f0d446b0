"""``skiptune export``: write the slim model of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..core.errors import InputError
from ..exporting.slim_folder import slim_folder
from .options import choice, takes
from .recipe_runs import finished_run

Form = Literal["standalone", "adapters", "plain"]


@dataclass(frozen=True)
class ExportOptions:
    """The command line of ``skiptune export``."""

    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a finished run.")]
    output: Annotated[Path, typer.Argument(help="Directory to write.")]
    form: Annotated[
        Form, choice(Form, help="standalone, adapters (a few MB beside the base model), or plain (for transformers).")
    ] = "standalone"
    base: Annotated[str | None, typer.Option(help="The base's name or hub id, for --form adapters.")] = None
    push: Annotated[str | None, typer.Option(metavar="REPO_ID", help="Upload it to the hub as user/name.")] = None
    private: Annotated[bool, typer.Option("--private", help="With --push: make the repository private.")] = False
    skip_count: Annotated[
        int | None, typer.Option(metavar="K", help="Skip the first K blocks of a nested plan (search.nested).")
    ] = None
    onnx: Annotated[bool, typer.Option("--onnx", help="Write model.onnx instead; RUN may be a slim model.")] = False
    int8: Annotated[bool, typer.Option("--int8", help="As --onnx, and model-int8.onnx with 8-bit weights.")] = False
    triton: Annotated[
        bool, typer.Option("--triton", help="OUTPUT becomes a model of a Triton model repository; RUN as for --onnx.")
    ] = False


@takes(ExportOptions)
def export(options: ExportOptions) -> None:
    """Write the slim model of a run in one of its forms, with a model card, or as ONNX; --push uploads it.

    A plain checkpoint is an ordinary model of transformers with fewer layers. RUN may be a slim model for it, too. It
    is read by transformers and compared before it is kept.

    An ONNX model is compared with torch's before it is kept, and so is that of --triton. Where OUTPUT is the slim
    model's own directory, it comes beside the torch weights.
    """
    if options.push is not None:
        _check_hub_id(options.push)
    elif options.private:
        raise InputError("--private: only with --push")
    if options.triton and options.push is not None:
        raise InputError("--push: the hub takes models, not directories of a server; leave out --triton")
    if options.onnx or options.int8 or options.triton:
        _export_onnx(options)
    else:
        _export_slim(options)
    if options.push is not None:
        from ..exporting.hub import push_to_hub

        typer.echo(push_to_hub(options.output, options.push, options.private or None))


def _check_hub_id(name: str) -> None:
    from ..exporting.hub import is_hub_id

    if not is_hub_id(name):
        raise InputError(f"--push: {name!r} is not the id of a repository; expected user/name")


def _export_slim(options: ExportOptions) -> None:
    if options.skip_count is None and options.form == "plain" and not (options.run_folder / "recipe.json").is_file():
        from ..exporting.plain.from_slim import slim_to_plain

        _tell_size(slim_to_plain(slim_folder(str(options.run_folder)), options.output, options.base))
        return
    runner = finished_run(options.run_folder)
    from ..exporting.export import export as write

    if not (options.run_folder / "trained.safetensors").is_file():
        raise InputError(f"{options.run_folder}: training is not finished; run its recipe first")
    model, plan, task = runner.trained()
    measured = runner.measured().to_dict()
    if options.skip_count not in (None, len(plan.skipped)):
        plan = plan.first(options.skip_count or 0)
        # the rest was measured on the run's own model
        measured = {name: measured[name] for name in ("data", "seed", "seen") if name in measured}
    _tell_size(write(model, options.output, plan, task, options.form, options.base, measured))


def _tell_size(folder: Path) -> None:
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    typer.echo(f"{folder}: {size / 2**20:.1f} MiB")


def _export_onnx(options: ExportOptions) -> None:
    from ..exporting.onnx.write import export_onnx, onnx_lines

    if options.skip_count is not None:
        raise InputError("--skip-count: write the torch weights first, then --onnx from that directory")
    if options.form != "standalone":
        raise InputError(f"--form {options.form}: an ONNX model holds all weights; leave it out")
    folder = slim_folder(str(options.run_folder))
    if options.triton:
        from ..exporting.onnx.triton import export_triton

        _tell_size(export_triton(folder, options.output, options.int8, options.base))
        return
    for line in onnx_lines(export_onnx(folder, options.output, options.int8, options.base)):
        typer.echo(line)
