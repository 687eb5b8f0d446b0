"""Latency of ViLT-B/32 with 0 to 6 blocks skipped, against transformers' own forward pass.

    python benchmarks/latency.py [--batches 1 32] [--repeats 10] [--output benchmarks/results/latency.json]

Random weights: time does not depend on them. All models are timed in turns in one process, and their outputs are
compared before anything is timed. ``ratio`` is to transformers' model, round by round; ``realised`` is the share of
the saved multiply-accumulates, against the unskipped model with the same adapters, that is saved in time too.
"""

from __future__ import annotations

import argparse
import copy
import shlex
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import ViltForQuestionAnswering

import skiptune as st
from skiptune.checks import write_json
from skiptune.cost import count_macs, example_inputs
from skiptune.families import vilt
from skiptune.runtime import keep_freed_memory, versions

ANSWERS = 3129


def build(skipped: list[int]) -> dict[str, tuple[torch.nn.Module, dict[str, Any]]]:
    """Models by name with what describes them in a result row."""
    transformers = st.load_model("vilt-b32", ViltForQuestionAnswering, num_labels=ANSWERS)
    original = copy.deepcopy(transformers)
    vilt.adopt(original)
    models = {
        "transformers": (transformers, {"skipped": 0, "adapters": "none"}),
        "ours": (original, {"skipped": 0, "adapters": "none"}),
    }
    for adapters in ("bottleneck", "lora"):
        adapted = st.insert(copy.deepcopy(transformers), st.SkipConfig(block_adapter=adapters))
        blocks = tuple(st.blocks_of(adapted))
        for count in skipped:
            plan = st.Plan("vilt", blocks, blocks[:count])
            slim = st.prune(copy.deepcopy(adapted), plan)
            models[f"{adapters}-{count}"] = (slim, {"skipped": count, "adapters": adapters})
    return models


@torch.inference_mode()
def check_outputs(models: dict[str, tuple[torch.nn.Module, dict[str, Any]]], inputs: dict[str, Any]) -> None:
    """Ours and fresh adapters (zero-initialised) compute what transformers computes, to 1e-5 relative."""
    reference = models["transformers"][0].eval()(**inputs).logits
    for name, (model, row) in models.items():
        if row["skipped"] == 0:
            difference = (model.eval()(**inputs).logits - reference).abs().max() / reference.abs().max()
            if difference > 1e-5:
                raise SystemExit(f"{name}: outputs differ from transformers' by {difference:.1e} relative")


def measure(image: tuple[int, int], text: int, batch: int, skipped: list[int], repeats: int) -> list[dict[str, Any]]:
    """One row a model at one input size."""
    models = build(skipped)
    inputs = example_inputs(models["ours"][0], image, text, batch)
    check_outputs(models, inputs)
    macs = {name: count_macs(model, inputs) for name, (model, _) in models.items() if name != "transformers"}
    macs["transformers"] = macs["ours"]
    times = st.compare_latency(
        {name: model for name, (model, _) in models.items()}, inputs, repeats, title=f"batch {batch}"
    )
    rows = []
    for name, (_, row) in models.items():
        whole = f"{row['adapters']}-0"
        saved = 1 - macs[name] / macs[whole] if row["skipped"] else 0.0
        realised = (1 - times[name]["ratio"] / times[whole]["ratio"]) / saved if saved else None
        rows.append(
            {
                "model": "vilt-b32",
                "implementation": "transformers" if name == "transformers" else "skiptune",
                "image": f"{image[0]}x{image[1]}",
                "text": text,
                "batch": batch,
                "device": "cpu",
                "dtype": "float32",
                "threads": torch.get_num_threads(),
                **row,
                **times[name],
                "macs_g": macs[name],
                "realised": realised,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--skipped", type=int, nargs="+", default=[0, 1, 2, 4, 6])
    parser.add_argument("--image", type=int, nargs=2, default=[384, 384], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--text", type=int, default=40)
    parser.add_argument(
        "--repeats", type=int, nargs="+", default=[20, 5], help="one for every batch size, or one for all"
    )
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "latency.json")
    options = parser.parse_args()
    keep_freed_memory()
    repeats = (
        options.repeats if len(options.repeats) == len(options.batches) else options.repeats * len(options.batches)
    )
    rows = []
    for batch, count in zip(options.batches, repeats, strict=False):
        rows += measure(tuple(options.image), options.text, batch, options.skipped, count)
        command = shlex.join(["python", "benchmarks/latency.py", *sys.argv[1:]])
        write_json(options.output, {"rows": rows, "command": command, "versions": versions()})
    for row in rows:
        realised = f"{row['realised']:.2f}" if row["realised"] is not None else "-"
        print(
            f"{row['implementation']:<13}batch {row['batch']:<4}{row['adapters']:<11}skipped {row['skipped']}  "
            f"{row['median_s'] * 1e3:8.1f} ms  ratio {row['ratio']:.3f}  {row['macs_g']:.2f} G  realised {realised}"
        )


if __name__ == "__main__":
    main()
