"""How many steps should a search take? Accuracies after searches of several lengths within the same training.

    python benchmarks/search_length.py SETTING --budgets 4 8 --steps 8 24 64 [--seeds 0 1 2] [--again] [--threads 1]

SETTING is one of ``benchmarks/hard_budgets.py``. A search of some steps is the beginning of the training; the rest
trains the plan found. With ``--again`` every plan is trained once more, from the first step on: what it gains by that
is what the search took from its training. Resumable: every run has its own folder in ``--runs``. Rows replace those of
the same setting, changes, budget, steps and seed in ``benchmarks/results/search_length.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from hard_budgets import SETTINGS, Row, Setting, budget_change
from skiptune.core.files import write_json
from skiptune.core.process import keep_freed_memory, quiet_libraries, versions
from skiptune.core.text_files import read_json
from skiptune.plan import Plan
from skiptune.running.recipe_reading import read_recipe
from skiptune.running.run import Run


def accuracy(setting: Setting, changes: Sequence[str], folder: Path) -> tuple[float, Plan]:
    """The test metric of a run in points, and its plan."""
    run = Run(read_recipe(setting.recipe, [*setting.changes, *changes, "baselines=[]"], str(folder)))
    run.check()
    plan, measured = run.search(), run.evaluate()
    return 100 * measured.parts["test"].metrics[run.task.metric], plan


def one_row(
    setting: Setting, value: float, steps: int, seed: int, again: bool, changes: list[str], data: Path, runs: Path
) -> Row:
    """A search of so many steps; and its plan trained from the first step on."""
    given = [*setting.file_changes(data), *changes, f"train.seed={seed}"]
    folder = runs / "-".join([*changes, f"{value:g}", f"seed-{seed}", f"steps-{steps}"])
    score, plan = accuracy(setting, [*given, budget_change(value), f"search.max_steps={steps}"], folder)
    row: Row = {
        "changes": changes,
        "budget": value,
        "steps": steps,
        "seed": seed,
        "skipped": list(plan.skipped),
        "tokens": None if plan.tokens is None else plan.tokens.to_dict(),
        "score": score,
    }
    if again:
        same = {"skip": plan.skipped, **({} if plan.tokens is None else {"tokens": row["tokens"]})}
        without = [change for change in given if not change.startswith("search.")]
        row["again"] = accuracy(setting, [*without, f"plan={json.dumps(same)}"], Path(f"{folder}-again"))[0]
    return row


def keep(path: Path, setting: str, row: Row) -> None:
    """Put a row into the results, in the place of an earlier one."""
    content = read_json(path) if path.is_file() else {}
    key = ("changes", "budget", "steps", "seed")
    rows = [old for old in content.get(setting, []) if any(old[name] != row[name] for name in key)] + [row]
    rows.sort(key=lambda one: (" ".join(one["changes"]), abs(one["budget"]), one["steps"], one["seed"]))
    content[setting] = rows
    write_json(path, content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("setting", choices=SETTINGS)
    parser.add_argument("--budgets", type=float, nargs="+", required=True)
    parser.add_argument("--steps", type=int, nargs="+", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--set", action="append", default=[], dest="changes", help="further changes of the recipe")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark-search-length"))
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "search_length.json")
    options = parser.parse_args()
    quiet_libraries()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    setting = SETTINGS[options.setting]
    common = {
        "command": shlex.join(["python", "benchmarks/search_length.py", *sys.argv[1:]]),
        "threads": options.threads,
        "cores": os.cpu_count(),
        "versions": versions(),
    }
    for seed in options.seeds:
        for value in options.budgets:
            for steps in options.steps:
                row = one_row(
                    setting, value, steps, seed, options.again, options.changes, options.data,
                    options.runs / options.setting,
                )  # fmt: skip
                keep(options.output, options.setting, {**row, **common})
                more = f", its plan from the first step on {row['again']:.2f}" if options.again else ""
                print(f"{value:g}, seed {seed}, {steps} steps: {row['score']:.2f}{more}", flush=True)


if __name__ == "__main__":
    main()
