"""Skipped blocks, fewer image tokens, and both: accuracy at equal operations, and latency.

    python benchmarks/token_accuracy.py [--methods …] [--saved 0.5] [--seeds 0 1 2] [--way merge] [--threads 1]
    python benchmarks/token_accuracy.py --recipe easy-vqa-chat --set export.form=standalone --output …
    python benchmarks/token_accuracy.py --recipe daquar --set adapters.scope=global --set data.train=… --output …

The runs of a recipe: search, training with the plan found, evaluation on all test questions; without baselines.
``easy-vqa-demo`` classifies; ``easy-vqa-chat`` writes its answers, and its latency is that of the prefill; ``daquar``
and ``flickr8k`` are photographs, of whose models ``scope: global`` lets encoders' layers go too. Only the budget,
``search.tokens``, ``search.mixture``, ``search.strategy`` and ``train.seed`` differ.

- ``lora``: nothing is skipped, no token less;
- ``blocks``: blocks alone;
- ``tokens``: a token schedule alone;
- ``both``: the mixture that the search finds;
- ``uniform``: the schedule with the same factor at every place;
- ``random``: a mixture drawn at random, another one for each seed.

``latency`` is that of the slim models, batch 1 and 32, all of a seed in turns in one process; ``ratio`` is to ``lora``.
``search_cost`` is the time of search and training over the same without the comparisons.
Resumable: every run has its own folder in ``--runs``, and what is finished there is only read. Writes
``benchmarks/results/tokens_easy_vqa.json`` after each run.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shlex
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import torch

import skiptune as st
from skiptune.config.way import Way
from skiptune.core.files import write_json
from skiptune.core.process import keep_freed_memory, quiet_libraries, versions
from skiptune.costs.cost_table import cost_table
from skiptune.costs.example_inputs import example_inputs
from skiptune.costs.latency import compare_latency
from skiptune.running.recipe_reading import read_recipe
from skiptune.running.run import Run

METHODS = ("lora", "blocks", "tokens", "both", "uniform", "random")
BATCHES = (1, 32)
Row = dict[str, Any]


def changes_for(method: str, saved: float, seed: int, way: str) -> list[str]:
    """What differs from the recipe."""
    if method == "lora":
        return ["budget={num_skip: 0}", f"train.seed={seed}", "baselines=[]"]
    own = [f"budget={{macs: {-saved}}}", f"train.seed={seed}", "baselines=[]"]
    if method != "blocks":
        own += [f"search.tokens={way}"]
    if method in ("tokens", "uniform"):
        own += [f"search.mixture={method}"]
    return [*own, *(["search.strategy=random"] if method == "random" else [])]


def one_run(
    recipe: str, method: str, saved: float, seed: int, way: str, folder: Path, changes: list[str]
) -> tuple[Row, Run]:
    """Search, train and measure one run, or read what it found."""
    name = f"{method}-seed-{seed}" if method == "lora" else f"{method}-{way}-{saved}-seed-{seed}"
    run = Run(read_recipe(recipe, [*changes, *changes_for(method, saved, seed, way)], str(folder / name)))
    run.check()
    plan, measured = run.search(), run.evaluate()
    model, sizes = run.models.original(), run.input_size()
    costs = cost_table(model, run.recipe.adapters, plan.skipped, *sizes, tokens=plan.tokens)
    report = plan.report
    comparisons = None if report is None else report.comparisons
    row = {
        "method": method,
        "saved": 0.0 if method == "lora" else saved,
        "seed": seed,
        "skipped": list(plan.skipped),
        "tokens": None if plan.tokens is None else plan.tokens.to_dict(),
        **{f"{part}_accuracy": found.metrics[run.task.metric] for part, found in measured.parts.items()},
        "macs_g": costs.macs_g["with_plan"],
        "relative_macs": costs.relative_macs,
        "comparisons": None if comparisons is None else comparisons.to_dict(),
        "seconds": {"search": 0.0 if report is None else report.seconds, **run.step_seconds()},
    }
    return row, run


def add_latency(rows: Sequence[Row], runs: Sequence[Run], seconds: float) -> None:
    """Time the slim models of one seed in turns, and write it into their rows."""
    models = {str(number): st.load(run.export()) for number, run in enumerate(runs)}
    for batch in BATCHES:
        inputs = example_inputs(models["0"], *runs[0].input_size(), batch)
        found = compare_latency(models, inputs, seconds=seconds, title=f"batch {batch}")
        for number, row in enumerate(rows):
            timing = found[str(number)]
            row.setdefault("latency", {})[str(batch)] = {
                "median_s": timing.median_s,
                "ratio": timing.ratio,
                "ratio_interval": timing.ratio_interval,
            }


def search_cost(row: Row) -> float | None:
    """Search and training over the training alone; ``None``: nothing was compared."""
    if row["comparisons"] is None:
        return None
    whole = float(row["seconds"]["search"] + row["seconds"]["train"])
    return whole / (whole - float(row["comparisons"]["seconds"]))


def summary(rows: Sequence[Row]) -> list[Row]:
    """Mean and spread over the seeds."""
    found = []
    for saved, method in itertools.product(sorted({row["saved"] for row in rows}), METHODS):
        own = [row for row in rows if (row["method"], row["saved"]) == (method, saved)]
        if own:
            tests = [row["test_accuracy"] for row in own]
            timed = [row["latency"] for row in own if "latency" in row]
            costs = [cost for row in own if (cost := search_cost(row)) is not None]
            found.append(
                {
                    "method": method,
                    "saved": saved,
                    "seeds": len(own),
                    "test_mean": statistics.mean(tests),
                    "test_sd": statistics.stdev(tests) if len(own) > 1 else None,
                    "relative_macs": statistics.mean(row["relative_macs"] for row in own),
                    "search_cost": statistics.mean(costs) if costs else None,
                    "latency": {
                        str(batch): statistics.mean(each[str(batch)]["ratio"] for each in timed) for batch in BATCHES
                    }
                    if timed
                    else None,
                }
            )
    return found


def without_folders(recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe whose files of data have their names alone: where they lie is the command's affair."""
    data = {name: Path(value).name if _is_path(value) else value for name, value in recipe["data"].items()}
    return {**recipe, "data": data}


def _is_path(value: object) -> bool:
    return isinstance(value, str) and Path(value).is_absolute()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="easy-vqa-demo")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--saved", type=float, nargs="+", default=[0.5])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--way", default="merge", choices=get_args(Way))
    parser.add_argument("--set", action="append", default=[], dest="changes", help="further changes of the recipe")
    parser.add_argument("--timing", type=float, default=30.0, help="seconds for the latency of one batch size; 0: none")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark-tokens"))
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "tokens_easy_vqa.json")
    options = parser.parse_args()
    quiet_libraries()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    common = {
        "recipe": without_folders(read_recipe(options.recipe, options.changes).to_dict()),
        "way": options.way,
        "command": shlex.join(["python", "benchmarks/token_accuracy.py", *sys.argv[1:]]),
        "threads": options.threads,
        "cores": os.cpu_count(),
        "versions": versions(),
    }
    rows: list[Row] = []
    for seed in options.seeds:
        own, runs = list[Row](), list[Run]()
        for saved, method in itertools.product(options.saved, options.methods):
            if method == "lora" and any(row["method"] == "lora" for row in own):
                continue
            row, run = one_run(options.recipe, method, saved, seed, options.way, options.runs, options.changes)
            own.append(row)
            runs.append(run)
            write_json(options.output, {"summary": summary([*rows, *own]), "runs": [*rows, *own], **common})
            accuracy, left = row["test_accuracy"], 1 + row["relative_macs"]
            print(f"{method:<8} seed {seed}: {accuracy:.2%}, {left:.0%} of the operations", flush=True)
        if options.timing:
            add_latency(own, runs, options.timing)
        rows += own
        write_json(options.output, {"summary": summary(rows), "runs": rows, **common})


if __name__ == "__main__":
    main()
