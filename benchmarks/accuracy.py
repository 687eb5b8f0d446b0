"""The full easy-VQA recipe over seeds: searched plan, nothing skipped, random plan and full tuning side by side.

    python benchmarks/accuracy.py [--seeds 0 1 2] [--arms searched unskipped random full] [--recipe easy-vqa] [--jobs 1]

Every arm of every seed is resumable; finished ones are only read. Writes ``benchmarks/results/easy_vqa.json`` after
each: mean and sample standard deviation over the seeds, and each run's own numbers. ``--jobs 2`` trains two at a
time with half of the threads each.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from skiptune.core.files import write_json
from skiptune.core.process import keep_freed_memory, quiet_libraries, versions
from skiptune.running.recipe_reading import read_recipe
from skiptune.running.run import Run

ARMS = ("searched", "unskipped", "random", "full")


def one_arm(arm: str, seed: int, recipe: str, folder: Path, changes: list[str], threads: int) -> dict[str, Any]:
    """The numbers of one arm and seed."""
    quiet_libraries()
    keep_freed_memory()
    torch.set_num_threads(threads)
    runner = Run(read_recipe(recipe, [*changes, f"train.seed={seed}"], str(folder / f"seed-{seed}")))
    runner.check()
    row = {"arm": arm, "seed": seed}
    if arm == "searched":
        plan = runner.search()
        seconds = {"search": plan.report and plan.report.seconds, **runner.step_seconds()}
        row |= {"skipped": list(plan.skipped), "preferences": plan.preferences, "seconds": seconds}
    else:
        baseline = runner.baseline(arm)
        row |= {"skipped": list(baseline.skipped), "trainable": baseline.trainable, "seconds": baseline.seconds}
    measured = runner.evaluate() if arm == "searched" else baseline
    return {**row, **{f"{part}_accuracy": found.metrics["accuracy"] for part, found in measured.parts.items()}}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and spread of every arm."""
    found = {}
    for arm in ARMS:
        values = [row["test_accuracy"] for row in rows if row["arm"] == arm]
        if values:
            spread = statistics.stdev(values) if len(values) > 1 else None
            found[arm] = {"mean": statistics.mean(values), "sd": spread, "seeds": len(values)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="easy-vqa")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--full-seeds", type=int, nargs="*", help="for full tuning, which takes longest, instead")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--set", action="append", default=[], dest="changes")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark-easy-vqa"))
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "easy_vqa.json")
    options = parser.parse_args()
    command = shlex.join(["python", "benchmarks/accuracy.py", *sys.argv[1:]])
    common = {"recipe": read_recipe(options.recipe, options.changes).to_dict(), "command": command}
    threads = max(1, (os.cpu_count() or 1) // options.jobs)
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        # the baselines take the number of blocks to skip from the plan, so every plan comes first
        for arms in (("searched",), ARMS[1:]):
            jobs = [
                pool.submit(one_arm, arm, seed, options.recipe, options.runs, options.changes, threads)
                for arm in arms
                if arm in options.arms
                for seed in (options.full_seeds if arm == "full" and options.full_seeds is not None else options.seeds)
            ]
            for job in as_completed(jobs):
                rows.append(job.result())
                rows.sort(key=lambda row: (ARMS.index(row["arm"]), row["seed"]))
                write_json(options.output, {"summary": summary(rows), "runs": rows, **common, "versions": versions()})
    for name, row in summary(rows).items():
        spread = f" ± {row['sd']:.2%}" if row["sd"] is not None else ""
        print(f"{name:<12}{row['mean']:.2%}{spread} over {row['seeds']} seeds")


if __name__ == "__main__":
    main()
