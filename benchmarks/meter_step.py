"""Memory and time of METER at full size: one training step and one search round, with adapters in.

    python benchmarks/meter_step.py [--batch 8] [--image 384] [--text 50]

Random weights. Each measure is a process of its own, whose peak resident memory counts. ``ratio`` is to the released
code's 8.1 GiB for the same step (batch 8, 384 pixels, 50 tokens). Writes ``benchmarks/results/meter_step.json``.
"""

from __future__ import annotations

import argparse
import json
import resource
import shlex
import subprocess
import sys
import time
from pathlib import Path

import torch

import skiptune as st
from skiptune.checks import write_json
from skiptune.cost import example_inputs
from skiptune.runtime import versions

RELEASED_GIB = 8.1
ANSWERS = 3129
CANDIDATES = 3


def one(measure: str, batch: int, image: int, text: int) -> dict[str, float]:
    """Peak memory in GiB and seconds of ``measure``, in this process."""
    model = st.insert(st.load_model("meter-b16", "vqa", num_labels=ANSWERS))
    inputs = example_inputs(model, (image, image), text, batch)
    inputs["labels"] = torch.rand(batch, ANSWERS)
    started = time.perf_counter()
    if measure == "step":
        model.train()
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
        model(**inputs).loss.backward()
        optimizer.step()
    else:
        model.eval()
        names = list(st.blocks_of(model))
        with torch.no_grad():
            for candidate in range(CANDIDATES):
                st.choose(model, names[candidate : candidate + 4])
                model(**inputs)
    seconds = time.perf_counter() - started
    return {"peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--image", type=int, default=384)
    parser.add_argument("--text", type=int, default=50)
    parser.add_argument("--one", choices=("step", "round"), help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "meter_step.json")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one, options.batch, options.image, options.text)))
        return
    found = {}
    for measure in ("step", "round"):
        command = [sys.executable, __file__, *sys.argv[1:], "--one", measure]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found[measure] = json.loads(done.stdout.splitlines()[-1])
    found["step"]["ratio"] = found["step"]["peak_gib"] / RELEASED_GIB
    command_line = shlex.join(["python", "benchmarks/meter_step.py", *sys.argv[1:]])
    about = {"threads": torch.get_num_threads(), "command": command_line, "versions": versions()}
    write_json(options.output, {**found, **about})
    for measure, row in found.items():
        print(f"{measure:<6}{row['peak_gib']:.2f} GiB  {row['seconds']:.1f} s")


if __name__ == "__main__":
    main()
