"""What skip adapters should start as: nothing (zero), noise (paper) or a fit of their blocks, on easy-VQA.

    python benchmarks/adapter_start.py [--steps 60] [--seeds 0 1 2] [--threads 1]

The embedded model with fixed plans, 4 of 12 blocks skipped, is trained for a few steps with each start; validation
loss and accuracy are taken on the way. Writes ``benchmarks/results/adapter_start.json``: every run, mean and sample
standard deviation over the seeds, and how well each block was fitted. Arms take turns seed by seed.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from skiptune import (
    Experiment,
    Plan,
    Record,
    SkipConfig,
    Task,
    TrainConfig,
    Vqa,
    blocks_of,
    choose,
    evaluate,
    fit_skip_adapters,
    insert,
    load_model,
    load_processor,
    read_easy_vqa,
    split_by_image,
)
from skiptune.core.files import write_json
from skiptune.core.process import keep_freed_memory, quiet_libraries, versions
from skiptune.training.fit import train_loop
from skiptune.training.progress_bar import TrainingBar
from skiptune.training.schedule import Stretch

STARTS = ("zero", "paper", "fit")
PLANS = {"last": ("8", "9", "10", "11"), "spread": ("2", "4", "6", "8")}
_MODEL = "vilt-scenes"


class Watch(TrainerCallback):
    """Evaluates after the given steps."""

    def __init__(self, model: nn.Module, task: Task, records: Sequence[Record], steps: Sequence[int]) -> None:
        self.model, self.task, self.records, self.steps = model, task, records, steps
        self.found: dict[int, dict[str, float]] = {}

    def look(self, step: int) -> None:
        found = evaluate(self.model, self.task, self.records)
        self.found[step] = {"loss": found.loss, "accuracy": found.headline}

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if state.global_step in self.steps:
            self.look(state.global_step)


def one_run(
    start: str, plan: str, seed: int, task: Task, parts: tuple[list[Record], list[Record]], steps: int, block_width: int
) -> dict[str, Any]:
    """Losses and accuracies of one start, plan and seed."""
    train, valid = parts
    model = load_model(_MODEL, task.model_class, seed=seed, **task.model_changes())
    insert(model, SkipConfig(block_adapter="bottleneck", block_width=block_width, init=start), seed=seed)  # type: ignore[arg-type]
    started = time.perf_counter()
    errors = fit_skip_adapters(model, task, train, seed=seed) if start == "fit" else None
    fitting = time.perf_counter() - started
    skipped = Plan("vilt", tuple(blocks_of(model)), PLANS[plan]).skipped
    choose(model, skipped)
    watch = Watch(model, task, valid, [5, 20, steps])
    watch.look(0)
    config = TrainConfig(max_steps=steps, batch_size=32, learning_rate=2e-3, warmup_ratio=0.05, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        stretch, bar = Stretch(0, steps, steps, config.warmup_ratio), TrainingBar(f"{plan} {start} {seed}")
        train_loop(model, Experiment(task, train, training=config), stretch, Path(folder), bar, [watch])
    row = {"start": start, "plan": plan, "seed": seed, "validation": {str(k): v for k, v in watch.found.items()}}
    return row if errors is None else {**row, "relative_error": errors, "fit_seconds": fitting}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and spread over the seeds, by plan, start and step."""
    found: dict[str, Any] = {}
    for plan in PLANS:
        for start in STARTS:
            runs = [row["validation"] for row in rows if (row["plan"], row["start"]) == (plan, start)]
            for step in runs[0] if runs else ():
                entry = found.setdefault(plan, {}).setdefault(start, {})[step] = {"seeds": len(runs)}
                for name in ("loss", "accuracy"):
                    values = [run[step][name] for run in runs]
                    spread = statistics.stdev(values) if len(values) > 1 else None
                    entry[name] = {"mean": statistics.mean(values), "sd": spread}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--validation", type=int, default=384, help="questions")
    parser.add_argument("--block-width", type=int, default=32, help="a skip adapter is twice as wide")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "adapter_start.json")
    options = parser.parse_args()
    quiet_libraries()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    train, valid = split_by_image(read_easy_vqa("train"), 0.1, seed=0)
    train, valid = list(train), list(valid)[: options.validation]
    task = Vqa.from_records(load_processor(_MODEL), train)
    common = {
        "command": shlex.join(["python", "benchmarks/adapter_start.py", *sys.argv[1:]]),
        "plans": {name: list(skipped) for name, skipped in PLANS.items()},
        "threads": options.threads,
        "cores": os.cpu_count(),
        "versions": versions(),
    }
    rows: list[dict[str, Any]] = []
    for seed in options.seeds:
        for plan in PLANS:
            for start in STARTS:
                rows.append(one_run(start, plan, seed, task, (train, valid), options.steps, options.block_width))
                write_json(options.output, {"summary": summary(rows), "runs": rows, **common})
    for plan, starts in summary(rows).items():
        for start, steps in starts.items():
            losses = "  ".join(f"{step}: {entry['loss']['mean']:.4f}" for step, entry in steps.items())
            print(f"{plan:<8}{start:<7}{losses}")


if __name__ == "__main__":
    main()
