"""What letting image tokens become fewer takes itself, way by way: small and large pictures, one and several.

    python benchmarks/token_ways.py [--rounds 20] [--threads 1]

The embedded ``vilt-scenes`` with its pictures of 36 patches, and ViLT-B/32 with random weights at 384 x 640 pixels.
Every way has the same schedule, a quarter of the tokens in the end (``pool``: as near to it as whole rows and columns
come); LoRA is merged, nothing is skipped. All run in turns in one process. ``ratio`` is the median of the time over
that without a schedule, round by round, ``arithmetic`` the same of operations. Writes
``benchmarks/results/token_ways.json``.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import Any, get_args

import torch

import skiptune as st
from skiptune.config.way import Way
from skiptune.core.files import write_json
from skiptune.core.process import keep_freed_memory, quiet_libraries, versions
from skiptune.costs.example_inputs import example_inputs
from skiptune.costs.latency import timings
from skiptune.costs.macs import count_macs
from skiptune.costs.turns import take_turns
from skiptune.inserting.pruning import prune
from skiptune.inserting.selection import blocks_of
from tokens_throughput import adapted, schedule

#: Image in pixels, tokens of text, batches.
SIZES = {"vilt-scenes": ((72, 72), 14, (1, 32)), "vilt-b32": ((384, 640), 40, (1, 4))}
SHARE = 0.25
WAYS: tuple[Way, ...] = get_args(Way)


def with_way(name: str, way: Way | None) -> Any:
    """The slim model with the schedule; ``None``: without."""
    model = adapted(name)
    tokens = None if way is None else schedule(model, SHARE).replace(way=way)
    return prune(model, st.Plan("vilt", tuple(blocks_of(model)), (), tokens=tokens)).eval()


def measured(name: str, rounds: int) -> dict[str, Any]:
    """Every way's time and operations, by batch."""
    image, text, batches = SIZES[name]
    models = {str(way): with_way(name, way) for way in (None, *WAYS)}
    found: dict[str, Any] = {}
    for batch in batches:
        inputs = example_inputs(models["None"], image, text, batch)
        whole = count_macs(models["None"], inputs)
        times = timings(take_turns(models, dict.fromkeys(models, inputs), rounds, 2, f"{name}, batch {batch}"))
        found[str(batch)] = {
            way: {
                "median_s": times[way].median_s,
                "ratio": times[way].ratio,
                "ratio_interval": times[way].ratio_interval,
                "arithmetic": count_macs(models[way], inputs) / whole,
            }
            for way in WAYS
        }
    return {"image": list(image), "text": text, "batches": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "token_ways.json")
    options = parser.parse_args()
    quiet_libraries()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    found = {}
    for name in options.models:
        found[name] = measured(name, options.rounds)
        write_json(
            options.output,
            {
                "models": found,
                "share": SHARE,
                "command": shlex.join(["python", "benchmarks/token_ways.py", *sys.argv[1:]]),
                "threads": options.threads,
                "cores": os.cpu_count(),
                "versions": versions(),
            },
        )
        for batch, ways in found[name]["batches"].items():
            told = (
                f"{way} {one['ratio']:.2f}x ({one['arithmetic']:.2f} of the operations)" for way, one in ways.items()
            )
            print(f"{name}, batch {batch}: {', '.join(told)}", flush=True)


if __name__ == "__main__":
    main()
