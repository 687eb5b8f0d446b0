"""Latency of ViLT-B/32 and METER with blocks skipped, against the original models.

    python benchmarks/latency.py [--models vilt meter] [--images 384x384 384x640] [--batches 1 8] [--quick]

Random weights: time does not depend on them. All models of one input size are timed in turns in one process, after
their outputs were compared where they must be equal. The original of ViLT is transformers' own model, of METER ours
without adapters: transformers has none. Rows go into ``rows`` of the output, in place of those of the same model, size
and batch, each with the command that measured it. ``ratio`` is to the original, round by round; ``realised`` is the
share of the saved multiply-accumulates, against the unskipped model with the same adapters, that is saved in time too;
``skipped`` counts what ``blocks`` names.

``rows`` holds the original models and ours as prepared for inference (``kernels`` ``onednn``, see
``skiptune.prepare_for_inference``); ``torch_kernels`` holds ours without that preparation, timed in the same rounds, so
that what skipping saves and what other kernels save can be told apart. ``profile`` says what each block costs: G
multiply-accumulates, and seconds here, that skipping it saves.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

import torch

import skiptune as st
from skiptune.core.files import write_json
from skiptune.core.process import keep_freed_memory, versions
from skiptune.core.text_files import read_json
from skiptune.costs.example_inputs import example_inputs
from skiptune.costs.latency import time_blocks
from skiptune.costs.macs import count_blocks

ADAPTERS = ("bottleneck", "lora")
TOKENS = {"vilt-b32": 40, "meter-b16": 50}
#: Model, image size, batch, rounds; and rounds of a quick run.
RUNS = (
    ("vilt-b32", (384, 384), 1, 24, 6),
    ("vilt-b32", (384, 640), 1, 16, 6),
    ("vilt-b32", (384, 384), 8, 10, 3),
    ("meter-b16", (288, 288), 1, 14, 4),
    ("meter-b16", (384, 384), 1, 12, 3),
)
COUNTS = (0, 1, 2, 4, 6)  # ViLT's first blocks
TWO_AND_TWO = ("text.0", "text.1", "image.0", "image.1")
GLOBAL_SAVING = 0.35


def plans(model: str, image: tuple[int, int], adapters: str) -> list[tuple[str, tuple[str, ...]]]:
    """Scope and skipped blocks of what is measured."""
    if model == "vilt-b32":
        return [("fusion", tuple(map(str, range(count)))) for count in COUNTS]
    found = [("fusion", ()), ("fusion", TWO_AND_TWO)]
    return [*found, ("global", global_plan(model, image, adapters))]


def global_plan(model: str, image: tuple[int, int], adapters: str) -> tuple[str, ...]:
    """The first blocks, taken from the four stacks in turn, that save 35 % of the original's operations."""
    config = st.SkipConfig.from_dict({"block_adapter": adapters, "scope": "global"})
    adapted = st.insert(st.load_model(model, "vqa", num_labels=3129), config, merged=True)
    costs = count_blocks(adapted, example_inputs(adapted, image, TOKENS[model]))
    names = sorted(costs.savings, key=lambda name: int(name.rpartition(".")[2]))  # sorting keeps the stacks' order
    left, skipped = costs.adapted, []
    for name in names:
        if left <= (1 - GLOBAL_SAVING) * costs.original:
            break
        left -= costs.savings[name]
        skipped.append(name)
    return tuple(name for name in costs.savings if name in skipped)


def measure(model: str, image: tuple[int, int], batch: int, repeats: int) -> list[dict[str, Any]]:
    """Rows of all models of one size."""
    texts = [model, *(f"{model}:adapters=none:kernels={kernels}" for kernels in ("torch", "onednn"))]
    for adapters in ADAPTERS:
        for scope, skipped in plans(model, image, adapters):
            for kernels in ("torch", "onednn"):
                options = [f"adapters={adapters}", f"scope={scope}", f"kernels={kernels}"]
                texts.append(":".join([model, *([f"skip={','.join(skipped)}"] if skipped else []), *options]))
    config = st.BenchConfig(
        batch_sizes=(batch,), image_size=image, text_length=TOKENS[model], repeats=repeats, warmup=2, memory=False
    )
    found = st.bench(texts, config)
    for warning in found.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    original = "transformers" if model == "vilt-b32" else "skiptune"
    return [
        {
            **row,
            "model": model,
            "implementation": original if row["model"] == model else "skiptune",
            "original": row["model"] == model,
            "skipped": len(row["skipped"]),
            "blocks": row["skipped"],
            "scope": "global" if "scope=global" in row["model"] else "fusion",
        }
        for row in (entry.to_dict() for entry in found.rows)
    ]


def profile(model: str, image: tuple[int, int], repeats: int) -> dict[str, Any]:
    """What each block costs, batch 1, bottleneck adapters."""
    scope = "fusion" if model == "vilt-b32" else "global"
    adapted = st.insert(st.load_model(model, "vqa", num_labels=3129), st.SkipConfig(scope=scope))
    inputs = example_inputs(adapted, image, TOKENS[model])
    macs, seconds = count_blocks(adapted, inputs), time_blocks(adapted, inputs, repeats)
    return {
        "model": model,
        "image": f"{image[0]}x{image[1]}",
        "text": TOKENS[model],
        "original": {"macs_g": macs.original, "seconds": seconds.original},
        "adapted": {"macs_g": macs.adapted, "seconds": seconds.adapted},
        "saved_by": {name: {"macs_g": macs.savings[name], "seconds": seconds.savings[name]} for name in macs.savings},
    }


def merge(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """``new`` in place of the rows about the same model, size and batch."""
    keys = ("model", "image", "text", "batch", "device", "dtype", "threads")

    def key(row: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(row.get(name) for name in keys)

    again = {key(row) for row in new}
    return [row for row in old if key(row) not in again] + new


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=("vilt", "meter"), default=["vilt", "meter"])
    sizes = {f"{height}x{width}": (height, width) for _, (height, width), *_ in RUNS}
    parser.add_argument("--images", nargs="+", choices=sizes, default=list(sizes))
    parser.add_argument("--batches", nargs="+", type=int, default=sorted({run[2] for run in RUNS}))
    parser.add_argument("--quick", action="store_true", help="few rounds; good for ratios to a few per cent")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "latency.json")
    options = parser.parse_args()
    keep_freed_memory()
    content: dict[str, Any] = read_json(options.output) if options.output.is_file() else {}
    content = {key: content.get(key, []) for key in ("rows", "torch_kernels", "profile")}
    command = shlex.join(["python", "benchmarks/latency.py", *sys.argv[1:]])
    content |= {"command": "python benchmarks/latency.py", "versions": versions()}
    images = [sizes[name] for name in options.images]
    for model, image, batch, full, quick in RUNS:
        if model.partition("-")[0] not in options.models or image not in images or batch not in options.batches:
            continue
        rows = measure(model, image, batch, quick if options.quick else full)
        rows = [{**row, "command": command} for row in rows]
        ours = [row for row in rows if row["kernels"] == "torch" and not row["original"]]
        content["rows"] = merge(content["rows"], [row for row in rows if row not in ours])
        content["torch_kernels"] = merge(content["torch_kernels"], ours)
        if batch == 1:
            content["profile"] = merge(content["profile"], [profile(model, image, 2 if options.quick else 8)])
        write_json(options.output, content)
        show(rows)


def show(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        realised = "-" if row["realised"] is None else f"{row['realised']:.2f}"
        low, high = row["ratio_interval"]
        print(
            f"{row['model']:<10}{row['image']:<8} batch {row['batch']:<2} {row['implementation']:<13}"
            f"{row['kernels']:<7}{row['adapters']:<11}{row['scope']:<7}skipped {row['skipped']:<2}"
            f"{row['median_s'] * 1e3:8.1f} ms  ratio {row['ratio']:.3f} ({low:.3f}–{high:.3f})  "
            f"{row['macs_g']:7.2f} G  realised {realised}"
        )


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
