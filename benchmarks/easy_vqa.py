"""The full easy-VQA recipe over seeds: searched plan, nothing skipped, random plan and full tuning side by side.

    python benchmarks/easy_vqa.py [--seeds 0 1 2] [--recipe easy-vqa] [--set train.epochs=2 ...]

Every run is resumable; finished ones are only read. Writes ``benchmarks/results/easy_vqa.json``: mean and sample
standard deviation over the seeds, and each run's own numbers.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
from pathlib import Path
from typing import Any

from skiptune.checks import write_json
from skiptune.recipe import read_recipe
from skiptune.run import Run, versions
from skiptune.runtime import keep_freed_memory, quiet_libraries


def one_run(recipe: str, seed: int, folder: Path, changes: list[str]) -> dict[str, Any]:
    """The numbers of one seed."""
    runner = Run(read_recipe(recipe, [*changes, f"train.seed={seed}"], str(folder / f"seed-{seed}")))
    results = runner.all()
    rows = {"searched": results["metric"]["test"]["accuracy"]}
    rows |= {name: entry["test"]["accuracy"] for name, entry in results["baselines"].items()}
    return {
        "seed": seed,
        "skipped": results["plan"]["skipped"],
        "random_skipped": results["baselines"].get("random", {}).get("skipped"),
        "test_accuracy": rows,
        "validation_accuracy": results["metric"]["validation"]["accuracy"],
        "relative_macs": results["relative_macs"],
        "parameters": results["parameters"],
        "seconds": results["seconds"],
        "recipe": results["recipe"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="easy-vqa")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], dest="changes")
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark-easy-vqa"))
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "easy_vqa.json")
    options = parser.parse_args()
    quiet_libraries()
    keep_freed_memory()
    runs = []
    for seed in options.seeds:
        runs.append(one_run(options.recipe, seed, options.runs, options.changes))
        summary = {}
        for name in runs[0]["test_accuracy"]:
            values = [run["test_accuracy"][name] for run in runs]
            spread = statistics.stdev(values) if len(values) > 1 else None
            summary[name] = {"mean": statistics.mean(values), "sd": spread, "seeds": len(values)}
        command = shlex.join(["python", "benchmarks/easy_vqa.py", *sys.argv[1:]])
        write_json(options.output, {"summary": summary, "runs": runs, "command": command, "versions": versions()})
    for name, row in summary.items():
        spread = f" ± {row['sd']:.2%}" if row["sd"] is not None else ""
        print(f"{name:<12}{row['mean']:.2%}{spread} over {row['seeds']} seeds")


if __name__ == "__main__":
    main()
