"""What stands in a skipped block: nothing, a linear map that folds into a kept block, or the paper's bottleneck.

    python benchmarks/skip_adapters.py [--kinds none folded bottleneck] [--skipped 4 6] [--seeds 0 1 2] [--threads 1]

The runs of the recipe ``easy-vqa-demo``: search, training with the plan found, evaluation; without baselines. Only
``adapters.skip_adapter``, ``budget.num_skip`` and ``train.seed`` differ. Resumable: every run has its own folder in
``--runs``, and what is finished there is only read. Writes ``benchmarks/results/skip_adapters.json`` after each: mean
and sample standard deviation over the seeds, operations, and each run's own numbers.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shlex
import statistics
import sys
from pathlib import Path
from typing import Any

import torch

from skiptune.core.files import write_json
from skiptune.core.process import keep_freed_memory, quiet_libraries, versions
from skiptune.costs.cost_table import cost_table
from skiptune.running.recipe_reading import read_recipe
from skiptune.running.run import Run

KINDS = ("none", "folded", "bottleneck")
_RECIPE = "easy-vqa-demo"
Row = dict[str, Any]


def one_run(kind: str, skipped: int, seed: int, folder: Path, changes: list[str]) -> Row:
    """Search, train and measure one run, or read what it found."""
    own = [f"adapters.skip_adapter={kind}", f"budget.num_skip={skipped}", f"train.seed={seed}", "baselines=[]"]
    run = Run(read_recipe(_RECIPE, [*changes, *own], str(folder / f"{kind}-{skipped}-seed-{seed}")))
    run.check()
    plan, measured = run.search(), run.evaluate()
    costs = cost_table(run.models.original(), run.recipe.adapters, plan.skipped, *run.input_size())
    return {
        "skip_adapter": kind,
        "num_skip": skipped,
        "seed": seed,
        "skipped": list(plan.skipped),
        **{f"{part}_accuracy": found.metrics["accuracy"] for part, found in measured.parts.items()},
        "macs_g": costs.macs_g["with_plan"],
        "relative_macs": costs.relative_macs,
        "parameters": costs.parameters_with_plan,
        "trained": costs.trained_with_plan,
        "seconds": run.step_seconds(),
    }


def summary(rows: list[Row]) -> list[Row]:
    """Mean and spread over the seeds, by kind and number of skipped blocks."""
    found = []
    for skipped, kind in itertools.product(sorted({row["num_skip"] for row in rows}), KINDS):
        own = [row for row in rows if (row["skip_adapter"], row["num_skip"]) == (kind, skipped)]
        if own:
            tests = [row["test_accuracy"] for row in own]
            found.append(
                {
                    "skip_adapter": kind,
                    "num_skip": skipped,
                    "seeds": len(own),
                    "test_mean": statistics.mean(tests),
                    "test_sd": statistics.stdev(tests) if len(own) > 1 else None,
                    "relative_macs": own[0]["relative_macs"],
                    "trained": own[0]["trained"],
                }
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--skipped", type=int, nargs="+", default=[4, 6])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], dest="changes", help="further changes of the recipe")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark-skip-adapters"))
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "skip_adapters.json")
    options = parser.parse_args()
    quiet_libraries()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    common = {
        "recipe": read_recipe(_RECIPE, options.changes).to_dict(),
        "command": shlex.join(["python", "benchmarks/skip_adapters.py", *sys.argv[1:]]),
        "threads": options.threads,
        "cores": os.cpu_count(),
        "versions": versions(),
    }
    rows: list[Row] = []
    # all kinds of a seed before the next one: what is there early can be compared
    for seed, skipped, kind in itertools.product(options.seeds, options.skipped, options.kinds):
        rows.append(one_run(kind, skipped, seed, options.runs, options.changes))
        write_json(options.output, {"summary": summary(rows), "runs": rows, **common})
        print(f"{kind:<11} {skipped} of 12, seed {seed}: {rows[-1]['test_accuracy']:.2%}", flush=True)


if __name__ == "__main__":
    main()
