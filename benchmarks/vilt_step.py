"""Memory and time of one training step of ViLT-B/32: adapters of both kinds, and full tuning of transformers' model.

    python benchmarks/vilt_step.py [--model vilt-b32] [--batch 8] [--image 384] [--text 40] [--repeats 3]

Random weights. Each way is a process of its own, whose peak resident memory counts, imports included. Seconds are the
median of ``repeats`` steps after one that does not count: forward, backward and AdamW. ``ratio`` is to the released
code's 3.0 GiB for the same step (batch 8, 384 pixels). Writes ``benchmarks/results/vilt_step.json``.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

import skiptune as st
from skiptune.core.files import write_json
from skiptune.core.process import resident_bytes, versions
from skiptune.costs.example_inputs import example_inputs

RELEASED_GIB = 3.0
ANSWERS = 3129
WAYS = ("bottleneck", "lora", "full")


def step(way: str, options: argparse.Namespace) -> dict[str, Any]:
    """Peak memory in GiB and seconds of a step, in this process."""
    model = st.load_model(options.model, "vqa", num_labels=ANSWERS)
    if way != "full":
        model = st.insert(model, st.SkipConfig.from_dict({"block_adapter": way}))
    inputs = example_inputs(model, (options.image, options.image), options.text, options.batch)
    inputs["labels"] = torch.rand(options.batch, ANSWERS)
    model.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained)
    seconds = []
    for _ in range(options.repeats + 1):
        started = time.perf_counter()
        model(**inputs).loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seconds.append(time.perf_counter() - started)
    peak = resident_bytes(peak=True)
    return {
        "peak_gib": None if peak is None else peak / 2**30,
        "seconds": median(seconds[1:]),
        "low": min(seconds[1:]),
        "high": max(seconds[1:]),
        "trained": sum(parameter.numel() for parameter in trained),
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="vilt-b32", choices=("vilt-b32", "vilt-tiny"))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--image", type=int, default=384)
    parser.add_argument("--text", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "vilt_step.json")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(step(options.one, options)))
        return
    found: dict[str, Any] = {}
    for way in WAYS:
        command = [sys.executable, __file__, *sys.argv[1:], "--one", way]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        row = json.loads(done.stdout.splitlines()[-1])
        found[way] = {**row, "ratio": None if row["peak_gib"] is None else row["peak_gib"] / RELEASED_GIB}
        print(
            f"{way:<11}{row['peak_gib'] or 0:.2f} GiB  {row['seconds']:.2f} s ({row['low']:.2f} to {row['high']:.2f})"
        )
    found["batch"], found["command"] = options.batch, shlex.join(["python", "benchmarks/vilt_step.py", *sys.argv[1:]])
    write_json(options.output, {**found, "versions": versions()})


if __name__ == "__main__":
    main()
