"""All ways of tuning side by side on one task: ``skiptune compare`` with the task's recipe.

    python benchmarks/compare.py TASK [--data ../shared/data] [--model NAME] [--jobs 2] [--set train.max_steps=100]

TASK is easy-vqa, easy-vqa-tokens (half of the operations, by blocks, image tokens or both), daquar, flickr8k or nlvr.
Files of the last three lie in ``DATA/TASK``. Every training is kept below
``runs/compare-TASK``; run it again to go on. Writes ``benchmarks/results/compare_TASK.json`` and its table and plot.
``--estimate`` only says how long it takes.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from pathlib import Path

from skiptune.core.errors import InputError, RunError
from skiptune.core.process import keep_freed_memory, quiet_libraries

HERE = Path(__file__).parent
#: Task → recipe, the files of its data, and what makes the whole comparison short enough for two cores.
TASKS: dict[str, tuple[str, dict[str, str], list[str]]] = {
    "easy-vqa": (
        "easy-vqa-demo",
        {},
        [
            "train.max_steps=240",
            "train.batch_size=32",
            "data.max_test=3000",
            "adapters.block_width=16",  # at most 6 % trained with 4 of 12 blocks skipped
            "adapters.skip_width=null",
            "adapters.lora_rank=6",
            "compare.levels=[4, 1, 2, 3, 5, 6]",
        ],
    ),
    "easy-vqa-tokens": (
        "easy-vqa-demo",
        {},
        [
            "train.max_steps=240",
            "train.batch_size=32",
            "data.max_test=3000",
            "adapters.block_width=16",
            "adapters.skip_width=null",
            "adapters.lora_rank=6",
            "budget={macs: -0.5}",
            "search.tokens=merge",
            "compare.methods=[lora, das-lora, random-lora, blocks-lora, tokens-lora, uniform-lora, "
            "tome, tome-lora, pumer]",
            "compare.sweep_seeds=[]",
        ],
    ),
    "daquar": (
        "daquar",
        {"train": "train.jsonl", "images": "images", "test": "dev.jsonl"},
        [
            "train.epochs=4",
            "adapters.block_width=32",
            "compare.methods=[lora, das-lora, random-lora, heuristic-lora, adapters]",
            "compare.sweep_seeds=[]",
        ],
    ),
    "flickr8k": (
        "flickr8k",
        {"train": "train.jsonl", "images": "images", "test": "dev.jsonl"},
        [
            "train.max_steps=60",
            "data.max_validation=20",
            "data.max_test=200",
            "adapters.block_width=32",
            "adapters.skip_width=null",
            "compare.methods=[zero-shot, lora, das-lora, random-lora]",
            "compare.sweep_seeds=[]",
        ],
    ),
    "nlvr": (
        "nlvr",
        {"train": "dev.jsonl", "images": "images"},
        [
            "train.max_steps=150",
            "adapters.skip_width=null",
            "adapters.block_width=16",
            "adapters.lora_rank=6",
            "compare.methods=[lora, das-lora, random-lora]",
            "compare.sweep_seeds=[]",
        ],
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--model", help="instead of the recipe's")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--set", action="append", default=[], dest="changes")
    parser.add_argument("--estimate", action="store_true")
    parser.add_argument("--runs", type=Path, help="instead of runs/compare-TASK")
    parser.add_argument("--output", type=Path, help="instead of benchmarks/results/compare_TASK.json")
    options = parser.parse_args()
    recipe, files, changes = TASKS[options.task]
    changes = [*changes, *(f"data.{name}={options.data / options.task / file}" for name, file in files.items())]
    changes += [f"model={options.model}"] if options.model else []
    quiet_libraries()  # before they are imported
    keep_freed_memory()
    from skiptune.comparing.comparison import MethodComparison
    from skiptune.running.recipe_reading import read_recipe

    output = str(options.runs or Path("runs") / f"compare-{options.task}")
    command = shlex.join(["python", "benchmarks/compare.py", *sys.argv[1:]])
    try:
        comparison = MethodComparison(read_recipe(recipe, [*changes, *options.changes], output), options.jobs, command)
        if options.estimate:
            comparison.estimate()
            return
        comparison.all()
    except (InputError, RunError) as error:
        sys.exit(str(error))
    target = options.output or HERE / "results" / f"compare_{options.task}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    for kind in (".json", ".md", ".png"):
        shutil.copy(comparison.folder / f"compare{kind}", target.with_suffix(kind))
    print(target.with_suffix(".md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
