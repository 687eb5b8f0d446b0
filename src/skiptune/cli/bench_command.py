"""``skiptune bench`` measures latency and memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..core.errors import InputError
from .options import ImageSize, JsonOption, choice, parsed, read_counts, read_size, takes

Dtype = Literal["float32", "bfloat16", "float16"]
Device = Literal["cpu", "cuda"]


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
    decode: Annotated[
        bool, typer.Option("--decode", help="Of models that generate text: time a decode step, not the prefill.")
    ] = False
    memory: Annotated[bool, typer.Option(help="Measure load time and memory in a process per model.")] = True
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Directory for bench.json, bench.md and bench.png.")
    ] = None
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False
    as_json: JsonOption = False


@takes(BenchOptions)
def bench(options: BenchOptions) -> None:
    """Time models side by side: latency, throughput, memory, load time, and realised share of the ideal saving.

    Options of a MODEL: skip=BLOCKS or plan=FILE, adapters=bottleneck, lora (merged; the default where a model takes no
    bottlenecks) or none, skip_adapter=bottleneck, folded or none, scope=fusion or global; base=MODEL for a slim model
    without its base; kernels=onednn for a model prepared for inference on a CPU. Without options a model is timed as it
    is loaded.
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
        decode=options.decode,
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
