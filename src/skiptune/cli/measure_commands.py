"""``skiptune cost`` counts operations and parameters; ``skiptune bench`` measures latency and memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..core.errors import InputError
from .options import ImageSize, JsonOption, choice, parsed, read_counts, read_size, takes

Adapters = Literal["bottleneck", "lora", "none"]
Scope = Literal["fusion", "global"]
Dtype = Literal["float32", "bfloat16", "float16"]
Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class CostOptions:
    """The command line of ``skiptune cost``."""

    model: Annotated[str, typer.Argument(help="Embedded name, directory, hub id, or architecture (random weights).")]
    image_size: Annotated[
        ImageSize | None,
        parsed(read_size, metavar="HEIGHTxWIDTH", help="In pixels; the model's own by default."),
    ] = None
    text_length: Annotated[int | None, typer.Option(help="Tokens of text; the model's longest by default.")] = None
    skip: Annotated[str, typer.Option(help="Blocks to skip, e.g. 0,1,2,3 or text.0,image.0.")] = ""
    adapters: Annotated[Adapters, choice(Adapters, help="Adapters in every block.")] = "bottleneck"
    scope: Annotated[
        Scope,
        choice(Scope, help="global: the encoders' layers can be skipped too."),
    ] = "fusion"
    labels: Annotated[int, typer.Option(min=2, help="Answers of the VQA head.")] = 3129
    as_json: JsonOption = False


@takes(CostOptions)
def cost(options: CostOptions) -> None:
    """Multiply-accumulates and parameters: the original, with adapters, with blocks skipped, and per block."""
    from ..config import SkipConfig
    from ..costs.cost_table import cost_table
    from ..costs.macs import by_saving
    from ..costs.shapes_only import ShapesOnly
    from ..families.registry import family_of
    from ..models.loading import load_model

    config = SkipConfig.from_dict({"block_adapter": options.adapters, "scope": options.scope})
    with ShapesOnly():
        built = load_model(options.model, "vqa", random_weights=True, num_labels=options.labels)
    usual = family_of(built).sizes(built.config)
    size = options.image_size or ImageSize(usual.image_size, usual.image_size)
    skipped = tuple(name.strip() for name in options.skip.split(",") if name.strip())
    length = usual.text_length if options.text_length is None else options.text_length
    table = cost_table(built, config, skipped, size, length)
    if options.as_json:
        typer.echo(json.dumps(asdict(table)))
        return
    for name, value in table.macs_g.items():
        change = value / table.macs_g["original"] - 1
        typer.echo(f"{name:<14}{value:10.3f} G multiply-accumulates  {change:+7.2%}")
    for value, names in by_saving(table.saved_macs_g).items():
        typer.echo(f"{'saved by each':<14}{value:10.3f} G: {', '.join(names)}")
    for name, value in table.parameters.items():
        typer.echo(f"{name:<14}{value:14,d} parameters")


@dataclass(frozen=True)
class BenchOptions:
    """The command line of ``skiptune bench``."""

    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="A slim model's or run's directory, or a model's name; with options: vilt-b32:skip=0,1:adapters=lora. "
            "The first is what the others are compared with.",
        ),
    ]
    batch_sizes: Annotated[
        Sequence[int], parsed(read_counts, metavar="COUNTS", help="Examples in a batch, e.g. 1,8,32.")
    ] = (1,)
    image_size: Annotated[
        ImageSize | None,
        parsed(read_size, metavar="HEIGHTxWIDTH", help="In pixels; the first model's by default."),
    ] = None
    text_length: Annotated[int | None, typer.Option(help="Tokens of text; the first model's by default.")] = None
    repeats: Annotated[
        int | None, typer.Option(help="Timed rounds; by default as many as fit into --seconds, at most 30.")
    ] = None
    seconds: Annotated[float, typer.Option(help="Time for all batch sizes, without --repeats.")] = 60
    warmup: Annotated[int, typer.Option(help="Rounds before them that are not timed.")] = 3
    threads: Annotated[int | None, typer.Option(help="Threads of torch; torch's own number by default.")] = None
    dtype: Annotated[
        Dtype,
        choice(Dtype, help="Of weights and images."),
    ] = "float32"
    device: Annotated[Device, choice(Device, help="Where models run.")] = "cpu"
    labels: Annotated[int, typer.Option(help="Answers of the head, for models that are not slim.")] = 3129
    memory: Annotated[bool, typer.Option(help="Measure load time and memory in a process per model.")] = True
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Directory for bench.json, bench.md and bench.png.")
    ] = None
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False
    as_json: JsonOption = False


@takes(BenchOptions)
def bench(options: BenchOptions) -> None:
    """Time models side by side: latency, throughput, memory, load time, and realised share of the ideal saving.

    Options of a MODEL: skip=BLOCKS or plan=FILE, adapters=bottleneck, lora (merged) or none, scope=fusion or global;
    base=MODEL for a slim model without its base; kernels=onednn for a model prepared for inference on a CPU. Without
    options a model is timed as it is loaded.
    """
    from ..benchmarking.bench import bench as measure
    from ..benchmarking.bench_config import BenchConfig
    from ..benchmarking.bench_report import markdown, print_bench, write_bench

    if options.as_markdown and options.as_json:
        raise InputError("--markdown and --json: give one of them")
    config = BenchConfig(
        batch_sizes=tuple(options.batch_sizes),
        image_size=options.image_size,
        text_length=options.text_length,
        repeats=options.repeats,
        seconds=options.seconds,
        warmup=options.warmup,
        threads=options.threads,
        dtype=options.dtype,
        device=options.device,
        labels=options.labels,
        memory=options.memory,
    )
    result = measure(options.models, config)
    if options.output is not None:
        write_bench(options.output, result)
    if options.as_json:
        typer.echo(json.dumps(result.to_dict()))
    elif options.as_markdown:
        typer.echo(markdown(result), nl=False)
    else:
        print_bench(result)
