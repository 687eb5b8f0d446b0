"""Memory and time of METER at full size: one training step and one search round, with adapters in.

    python benchmarks/meter_step.py [--model meter-b16] [--batch 8] [--image 384] [--text 50] [--repeats 3]
        [--measures step round times]

Random weights. Each measure is a process of its own, whose peak resident memory counts. ``ratio`` is to the released
code's 8.1 GiB for the same step (batch 8, 384 pixels, 50 tokens).

``times`` compares a step's forward and backward pass with two others, in turns after one of each that does not count:
``recorded``, where the graph is recorded through the frozen encoders too, for the same trained parameters; and
``bound``, what has to be computed in any case, timed by parts: both encoders forward without a graph, the fusion
forward, and backward to its adapters and inputs, without dropout and so without computing attention twice. Ratios are
the step's to theirs, turn by turn: median, lowest and highest. Its seconds are of the processor, on one thread, so that
what else runs on the machine counts little. Writes ``benchmarks/results/meter_step.json``; measures that are not asked
for stay in it as they are.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import torch
from torch import Tensor

import skiptune as st
from skiptune.core.files import write_json
from skiptune.core.process import versions
from skiptune.core.text_files import read_json
from skiptune.costs.example_inputs import example_inputs
from skiptune.families.meter import modeling
from skiptune.searching.prefix_sharing import evaluate_each

RELEASED_GIB = 8.1
ANSWERS = 3129
CANDIDATES = 3
MEASURES = ("step", "round", "times")


def one(measure: str, options: argparse.Namespace) -> dict[str, Any]:
    """What ``measure`` finds, in this process: peak memory in GiB, seconds."""
    model = st.insert(st.load_model(options.model, "vqa", num_labels=ANSWERS), st.SkipConfig())
    inputs = example_inputs(model, (options.image, options.image), options.text, options.batch)
    inputs["labels"] = torch.rand(options.batch, ANSWERS)
    if measure == "times":
        return times(model, inputs, options.repeats)
    started = time.perf_counter()
    if measure == "step":
        model.train()
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
        model(**inputs).loss.backward()
        optimizer.step()
    else:
        model.eval()
        names = list(st.blocks_of(model))
        sets = [names[candidate : candidate + 4] for candidate in range(CANDIDATES)]
        for _ in evaluate_each(model, sets, partial(model, **inputs)):
            pass
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"peak_gib": peak, "seconds": seconds, "threads": torch.get_num_threads()}


def times(model: Any, inputs: dict[str, Tensor], repeats: int) -> dict[str, Any]:
    """Seconds of each way in every turn, and the step's ratios to the others."""
    torch.set_num_threads(1)
    ways: dict[str, Callable[[Any, dict[str, Tensor]], dict[str, float]]] = {
        "step": step,
        "recorded": recorded,
        "bound": bound,
    }
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for _ in range(repeats + 1):
        for name, way in ways.items():
            turns[name].append(way(model, inputs))
            model.zero_grad(set_to_none=True)
    found: dict[str, Any] = {name: spread_of_parts(rows[1:]) for name, rows in turns.items()}
    totals = {name: [sum(row.values()) for row in rows[1:]] for name, rows in turns.items()}
    for name in ("recorded", "bound"):
        ratios = [ours / other for ours, other in zip(totals["step"], totals[name], strict=True)]
        found[f"step_to_{name}"] = spread(ratios)
    return {**found, "repeats": repeats, "batch": len(inputs["labels"]), "load_average": os.getloadavg()[0]}


def spread_of_parts(rows: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    parts = {name: spread([row[name] for row in rows]) for name in rows[0]}
    return {**parts, "total": spread([sum(row.values()) for row in rows])}


def spread(values: list[float]) -> dict[str, float]:
    return {"median": median(values), "low": min(values), "high": max(values)}


def step(model: Any, inputs: dict[str, Tensor]) -> dict[str, float]:
    """Forward and backward, as in training."""
    model.train()
    parts: dict[str, float] = {}
    with timed(parts, "forward"):
        loss = model(**inputs).loss
    with timed(parts, "backward"):
        loss.backward()
    return parts


def recorded(model: Any, inputs: dict[str, Tensor]) -> dict[str, float]:
    """The same, with a graph from the embeddings of both encoders on, which nothing trained is below."""

    def require(module: Any, given: Any, output: Tensor) -> Tensor:
        return output.requires_grad_()

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(modeling, "no_graph_if_frozen", return_value=nullcontext()))
        for embeddings in (model.meter.roberta.embeddings, model.meter.clip.embeddings):
            stack.callback(embeddings.register_forward_hook(require).remove)
        return step(model, inputs)


def bound(model: Any, inputs: dict[str, Tensor]) -> dict[str, float]:
    """The parts that no way to train these parameters can leave out."""
    model.eval()
    meter, mask, labels = model.meter, inputs["attention_mask"], inputs["labels"]
    parts: dict[str, float] = {}
    with timed(parts, "encoders"), torch.no_grad():
        text = meter.encode_text(inputs["input_ids"], mask)
        image = meter.encode_image(inputs["pixel_values"])
    with timed(parts, "fusion_forward"):
        fused = model.fused(meter.fuse(text, (image,), mask), mask)
        loss = model.loss_of(model.classifier(fused.pooled), labels, fused)
    with timed(parts, "fusion_backward"):
        loss.backward()
    return parts


@contextmanager
def timed(parts: dict[str, float], name: str) -> Iterator[None]:
    started = time.process_time()
    yield
    parts[name] = time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="meter-b16", choices=("meter-b16", "meter-tiny"))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--image", type=int, default=384)
    parser.add_argument("--text", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--measures", nargs="+", choices=MEASURES, default=MEASURES)
    parser.add_argument("--one", choices=MEASURES, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "meter_step.json")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one, options)))
        return
    found = read_json(options.output) if options.output.is_file() else {}
    about = {"command": shlex.join(["python", "benchmarks/meter_step.py", *sys.argv[1:]]), "versions": versions()}
    for measure in options.measures:
        command = [sys.executable, __file__, *sys.argv[1:], "--one", measure]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found[measure] = {**json.loads(done.stdout.splitlines()[-1]), **about}
    if "step" in options.measures:
        found["step"]["ratio"] = found["step"]["peak_gib"] / RELEASED_GIB
    write_json(options.output, found)
    for measure in options.measures:
        row = found[measure]
        if measure != "times":
            print(f"{measure:<6}{row['peak_gib']:.2f} GiB  {row['seconds']:.1f} s")
            continue
        for name in ("recorded", "bound"):
            ratio = row[f"step_to_{name}"]
            print(f"step to {name:<9}{ratio['median']:.2f} × ({ratio['low']:.2f} to {ratio['high']:.2f})")


if __name__ == "__main__":
    main()
