"""Searched plans beside the paper's policy, heuristics and random plans, at budgets where skipping costs accuracy.

    python benchmarks/hard_budgets.py SETTING [--budgets …] [--methods …] [--seeds 0 1 2] [--threads 1]

SETTING is ``easy-vqa`` (4, 6 and 8 of 12 blocks of ``vilt-scenes``), ``daquar`` or ``flickr8k`` (``meter-photos``, its
encoders' layers too, −15 to −50 % operations), ``daquar-chat`` or ``captions`` (``smol-photos``, 4, 8 and 12 of 30
layers). Files of photographs lie in ``--data``. Every run is one of the setting's recipe: search and training with the
plan found share the steps; LoRA in kept blocks.

- a strategy's name: its search. ``bandit`` is the default, ``policy`` the paper's.
- ``bandit-more``: the default with about four times the comparisons (``search.cost: 0.4``).
- ``random-0`` to ``random-2``: plans that are drawn once for a budget, and trained from the first step on.
- ``lora``: nothing is skipped.

In the summary, ``lost`` is how many points less than LoRA of the same seed, ``over_random`` how many more than the
random plans' mean of the same seed; means with standard errors over the seeds. Resumable: every run has its own folder
in ``--runs``. Rows replace those of the same setting, budget, method and seed in
``benchmarks/results/hard_budgets.json``.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import skiptune as st
from search_statistics import standard_error
from skiptune.core.files import write_json
from skiptune.core.process import keep_freed_memory, quiet_libraries, versions
from skiptune.core.text_files import read_json
from skiptune.costs.cost_table import cost_table
from skiptune.costs.example_inputs import example_inputs
from skiptune.running.recipe_reading import read_recipe
from skiptune.running.run import Run
from skiptune.searching.budget import feasible_sets_of

Row = dict[str, Any]
STRATEGIES = ("bandit", "policy", "greedy", "influence", "first_order", "leave_one_out", "even", "first", "last")
RANDOM = ("random-0", "random-1", "random-2")
MORE = "bandit-more"
METHODS = ("lora", *STRATEGIES, MORE, *RANDOM)


@dataclass(frozen=True)
class Setting:
    """A model, its data and the length of a training.

    Attributes:
        recipe: name of the recipe.
        budgets: numbers of blocks, or relative changes of the operations.
        changes: what differs from the recipe.
        files: fields of ``data`` → files below the folder of the data.
    """

    recipe: str
    budgets: tuple[float, ...]
    changes: tuple[str, ...]
    files: Mapping[str, str]

    def file_changes(self, data: Path) -> list[str]:
        """The changes of the recipe that name its files in the folder ``data``."""
        return [f"data.{name}={data / file}" for name, file in self.files.items()]


def _files(name: str) -> dict[str, str]:
    return {"train": f"{name}/train.jsonl", "images": f"{name}/images", "test": f"{name}/dev.jsonl"}


_GLOBAL = ("adapters.scope=global", "adapters.skip_width=null", "encoder_cache=null")
_CHAT = ("model=smol-photos", "task=generation", "adapters.skip_width=null", "encoder_cache=null", "export.form=plain")
SETTINGS = {
    "easy-vqa": Setting(
        "easy-vqa-demo", (4, 6, 8), ("train.max_steps=240", "train.batch_size=32", "data.max_test=3000"), {}
    ),
    "daquar": Setting("daquar", (-0.15, -0.25, -0.35, -0.5), ("train.epochs=3", *_GLOBAL), _files("daquar")),
    "flickr8k": Setting(
        "flickr8k",
        (-0.15, -0.25, -0.35, -0.5),
        ("train.max_steps=120", "data.max_validation=20", "data.max_test=200", *_GLOBAL),
        _files("flickr8k"),
    ),
    "daquar-chat": Setting("daquar", (4, 8, 12), ("train.epochs=1", "data.max_test=400", *_CHAT), _files("daquar")),
    "captions": Setting(
        "flickr8k", (4, 8, 12), ("train.max_steps=150", "data.max_test=100", *_CHAT), _files("flickr8k")
    ),
}


def drawn(run: Run, number: int) -> tuple[str, ...]:
    """The blocks of a random plan that meets the budget; the same for every seed of the training."""
    model = st.insert(run.models.original(), run.recipe.adapters)
    feasible = feasible_sets_of(model, run.recipe.budget, lambda: example_inputs(model, *run.input_size()))
    names = list(st.blocks_of(model))
    return tuple(names[block] for block in sorted(feasible.drawn(np.random.default_rng((number, 1)))))


def budget_change(value: float) -> str:
    """The change of a recipe that sets its budget: a number of blocks, or a relative change of the operations."""
    return f"budget={{num_skip: {int(value)}}}" if value > 0 else f"budget={{macs: {value}}}"


def one_run(setting: Setting, value: float, method: str, seed: int, changes: Sequence[str], folder: Path) -> Row:
    """Search, train and measure one run, or read what it found."""
    common = [*setting.changes, *changes, f"train.seed={seed}", "baselines=[]"]
    given = budget_change(value)

    def run_of(*own: str) -> Run:
        name = f"{method}-seed-{seed}" if method == "lora" else f"{method}-{value:g}-seed-{seed}"
        return Run(read_recipe(setting.recipe, [*common, *own], str(folder / name)))

    if method == "lora":
        run = run_of("budget={num_skip: 0}")
    elif method in RANDOM:
        skipped = drawn(run_of(given), RANDOM.index(method))
        run = run_of(f"plan={{skip: [{', '.join(skipped)}]}}")
    elif method == MORE:
        run = run_of(given, "search.cost=0.4")
    else:
        run = run_of(given, f"search.strategy={method}")
    run.check()
    plan, measured = run.search(), run.evaluate()
    costs = cost_table(run.models.original(), run.recipe.adapters, plan.skipped, *run.input_size())
    comparisons = plan.report and plan.report.comparisons
    return {
        "budget": 0 if method == "lora" else value,
        "method": method,
        "seed": seed,
        "skipped": list(plan.skipped),
        "score": 100 * measured.parts["test"].metrics[run.task.metric],
        "metric": run.task.metric,
        "relative_macs": costs.relative_macs,
        "compared_examples": comparisons.examples if comparisons is not None else 0,
        "seconds": run.step_seconds(),
    }


def summary(rows: Sequence[Row]) -> list[Row]:
    """Means over the seeds of every budget and method."""
    lora = {row["seed"]: row["score"] for row in rows if row["method"] == "lora"}
    found = []
    for value in sorted({row["budget"] for row in rows}, key=abs):
        own = [row for row in rows if row["budget"] == value]
        chance = {
            seed: statistics.mean(scores)
            for seed in {row["seed"] for row in own}
            if (scores := [row["score"] for row in own if row["seed"] == seed and row["method"] in RANDOM])
        }
        for method in ("lora", *STRATEGIES, MORE, "random"):
            part = [row for row in own if row["method"] == method or (method == "random" and row["method"] in RANDOM)]
            if part:
                lost = [lora[row["seed"]] - row["score"] for row in part if row["seed"] in lora]
                over = [row["score"] - chance[row["seed"]] for row in part if row["seed"] in chance]
                found.append(
                    {
                        "budget": value,
                        "method": method,
                        "runs": len(part),
                        "mean": statistics.mean(row["score"] for row in part),
                        "sd": statistics.stdev(row["score"] for row in part) if len(part) > 1 else None,
                        "lost": statistics.mean(lost) if lost else None,
                        "lost_se": standard_error(lost),
                        "over_random": statistics.mean(over) if over and method != "random" else None,
                        "over_random_se": standard_error(over) if method != "random" else None,
                        "relative_macs": statistics.mean(row["relative_macs"] for row in part),
                    }
                )
    return found


def keep(path: Path, setting: str, row: Row, common: Row) -> None:
    """Put a row into the results, in the place of an earlier one, with what made it."""
    content = read_json(path) if path.is_file() else {"settings": {}}
    one = content["settings"].setdefault(setting, {"runs": []})
    key = ("budget", "method", "seed")
    others = [old for old in one["runs"] if any(old[name] != row[name] for name in key)]
    one["runs"] = sorted([*others, row], key=lambda each: (abs(each["budget"]), each["method"], each["seed"]))
    content["settings"][setting] = {"summary": summary(one["runs"]), **common, "runs": one["runs"]}
    write_json(path, content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("setting", choices=SETTINGS)
    parser.add_argument("--budgets", type=float, nargs="+")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--set", action="append", default=[], dest="changes", help="further changes of the recipe")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark-hard-budgets"))
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "hard_budgets.json")
    options = parser.parse_args()
    quiet_libraries()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    setting = SETTINGS[options.setting]
    changes = [*setting.file_changes(options.data), *options.changes]
    common = {
        "recipe": setting.recipe,
        "changes": [*setting.changes, *options.changes],
        "command": shlex.join(["python", "benchmarks/hard_budgets.py", *sys.argv[1:]]),
        "threads": options.threads,
        "cores": os.cpu_count(),
        "versions": versions(),
    }
    for seed in options.seeds:
        for value in options.budgets or setting.budgets:
            for method in options.methods:
                row = one_run(setting, value, method, seed, changes, options.runs / options.setting)
                keep(options.output, options.setting, row, common)
                name, left = f"{method}, {value:g}, seed {seed}", 1 + row["relative_macs"]
                print(f"{name}: {row['score']:.2f}, {left:.0%} of the operations", flush=True)


if __name__ == "__main__":
    main()
