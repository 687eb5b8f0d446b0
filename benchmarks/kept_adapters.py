"""What to train in kept blocks: the paper's bottleneck adapters, or LoRA, which costs nothing once it is merged.

    python benchmarks/kept_adapters.py [--datasets easy-vqa daquar] [--seeds 0 1 2] [--steps 300] [--threads 1]

The embedded model with 4 of 12 blocks skipped, a random plan for every seed and the same for both, trained with as many
parameters in kept blocks (within 2 %: the rank nearest to a bottleneck of ``--width``, then the bottleneck nearest to
that rank); skip adapters, head and small parts are alike. Each kind gets the learning rate that is best for it on the
validation part, by its mean over the seeds; what is judged is the slim model, adapters merged where they can be, on
held-out questions. Resumable: finished trainings in the output are kept. Writes
``benchmarks/results/kept_adapters.json``.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import sys
from pathlib import Path
from typing import Any

import torch

from landscape import ALL_STEPS, DATASETS, SHARED, TRAIN, Setting, setting
from skiptune import Experiment, Plan, SkipConfig, blocks_of, evaluate, insert, load_model, prune
from skiptune.core.files import write_json
from skiptune.core.process import keep_freed_memory, quiet_libraries, versions
from skiptune.core.progress import track
from skiptune.core.text_files import read_json
from skiptune.costs.parameters import count_parameters
from skiptune.inserting.pruning import remove_dead_blocks
from skiptune.training.fit import fit

KINDS = ("bottleneck", "lora")
SKIPPED = 4
CLOSE = 0.02
_MODEL = "vilt-scenes"
Row = dict[str, Any]


def matched(width: int) -> dict[str, SkipConfig]:
    """Configurations with as many parameters in kept blocks, and skip adapters of one width."""

    def count(**options: Any) -> int:
        model = insert(load_model(_MODEL, "vqa"), SkipConfig(skip_width=2 * width, **options))
        return count_parameters(model)["block_adapters"]

    a_rank = count(block_adapter="lora", lora_rank=1)
    one, two = (count(block_adapter="bottleneck", block_width=width) for width in (1, 2))
    rank = max(1, round((one + (width - 1) * (two - one)) / a_rank))
    nearest = max(1, 1 + round((rank * a_rank - one) / (two - one)))
    return {
        "bottleneck": SkipConfig(block_adapter="bottleneck", block_width=nearest, skip_width=2 * width),
        "lora": SkipConfig(block_adapter="lora", lora_rank=rank, skip_width=2 * width),
    }


def trained_parameters(made: Setting, config: SkipConfig) -> dict[str, int]:
    """Those that a plan trains: in kept blocks, and in all."""
    model = fresh(made, config, 0)
    counts = count_parameters(remove_dead_blocks(model, random_plan(model, 0)))
    return {"kept_blocks": counts["block_adapters"], "all": counts["trainable"]}


def fresh(made: Setting, config: SkipConfig, seed: int) -> Any:
    made.runner.recipe = made.runner.recipe.replace(adapters=config, train=TRAIN.replace(seed=seed))
    return made.runner.fresh_model()


def random_plan(model: Any, seed: int) -> Plan:
    blocks = tuple(blocks_of(model))
    return Plan("vilt", blocks, Plan("vilt", blocks, blocks[:SKIPPED]).random(seed), "random")


def one_run(made: Setting, config: SkipConfig, rate: float, seed: int, steps: int) -> Row:
    """Train and measure."""
    model = fresh(made, config, seed)
    plan = random_plan(model, seed)
    training = TRAIN.replace(seed=seed, max_steps=steps, learning_rate=rate)
    log = fit(model, Experiment(made.task, made.train, training=training), plan)
    prune(model, plan)
    found = {
        name: evaluate(model, made.task, part) for name, part in (("validation", made.rewards), ("test", made.judge))
    }
    measures = {
        name: {"accuracy": each.headline, "loss": each.loss, "count": each.count} for name, each in found.items()
    }
    return {"skipped": list(plan.skipped), **measures, "seconds": log.seconds}


def spread(values: list[float]) -> dict[str, float | None]:
    return {"mean": statistics.mean(values), "sd": statistics.stdev(values) if len(values) > 1 else None}


def summary(rows: list[Row]) -> dict[str, Any]:
    """By data set: each kind at its best rate, and by how much LoRA is better, seed by seed."""
    found: dict[str, Any] = {}
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        best: dict[str, dict[int, Row]] = {}
        entry = found.setdefault(dataset, {})
        for kind in KINDS:
            by_rate: dict[float, dict[int, Row]] = {}
            for row in rows:
                if (row["dataset"], row["adapters"]) == (dataset, kind):
                    by_rate.setdefault(row["rate"], {})[row["seed"]] = row
            if not by_rate:
                continue
            validation = {
                rate: statistics.mean(row["validation"]["accuracy"] for row in runs.values())
                for rate, runs in by_rate.items()
            }
            rate = max(validation, key=lambda rate: validation[rate])
            best[kind] = by_rate[rate]
            entry[kind] = {
                "rate": rate,
                "validation_by_rate": {f"{rate:g}": value for rate, value in validation.items()},
                **{
                    part: spread([row[part]["accuracy"] for row in best[kind].values()])
                    for part in ("validation", "test")
                },
                "seeds": len(best[kind]),
            }
        both = [seed for seed in best.get("lora", {}) if seed in best.get("bottleneck", {})]
        if both:
            gains = [best["lora"][s]["test"]["accuracy"] - best["bottleneck"][s]["test"]["accuracy"] for s in both]
            entry["lora_minus_bottleneck"] = spread(gains)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", nargs="+", default=list(DATASETS), choices=DATASETS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=ALL_STEPS)
    parser.add_argument("--rates", type=float, nargs="+", default=[1e-3, 2e-3, 4e-3])
    parser.add_argument(
        "--width", type=int, default=32, help="of the bottleneck, about; skip adapters are twice as wide"
    )
    parser.add_argument("--questions", type=int, default=1024, help="a quarter of those judged by")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "kept_adapters.json")
    options = parser.parse_args()
    quiet_libraries()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    configs = matched(options.width)
    settings = {
        "model": _MODEL,
        "steps": options.steps,
        "batch_size": TRAIN.batch_size,
        "questions": options.questions,
        "configurations": {kind: config.to_dict() for kind, config in configs.items()},
    }
    before = read_json(options.output) if options.output.is_file() else {"settings": settings, "runs": []}
    if before["settings"] != settings:
        raise SystemExit(f"{options.output}: made with other settings; name another --output, or remove it")
    rows: list[Row] = before["runs"]
    parameters: dict[str, Any] = before.get("trained_parameters", {})
    left_out: dict[str, str] = {}
    for dataset in options.datasets:
        if dataset == "daquar" and not (SHARED / dataset).is_dir():
            left_out[dataset] = "its files are not here"
            print(f"{dataset}: left out, {left_out[dataset]}")
            continue
        made = setting(dataset, options.questions)
        counts = {kind: trained_parameters(made, config) for kind, config in configs.items()}
        print(f"{dataset}: trained parameters {counts}")
        ratio = counts["lora"]["kept_blocks"] / counts["bottleneck"]["kept_blocks"]
        if abs(ratio - 1) > CLOSE:
            raise SystemExit(f"LoRA trains {ratio:.3f} of the bottleneck's parameters; choose another --width")
        parameters[dataset] = counts
        wanted = [(seed, rate, kind) for seed in options.seeds for rate in options.rates for kind in KINDS]
        done = {(row["seed"], row["rate"], row["adapters"]) for row in rows if row["dataset"] == dataset}
        for seed, rate, kind in track([each for each in wanted if each not in done], dataset):
            found = one_run(made, configs[kind], rate, seed, options.steps)
            rows.append({"dataset": dataset, "adapters": kind, "rate": rate, "seed": seed, **found})
            write_json(
                options.output,
                {
                    "summary": summary(rows),
                    "settings": settings,
                    "trained_parameters": parameters,
                    "left_out": left_out,
                    "runs": rows,
                    "command": shlex.join(["python", "benchmarks/kept_adapters.py", *sys.argv[1:]]),
                    "threads": options.threads,
                    "cores": os.cpu_count(),
                    "versions": versions(),
                },
            )
    for dataset, kinds in summary(rows).items():
        for kind in KINDS:
            if kind in kinds:
                test, sd = kinds[kind]["test"]["mean"], kinds[kind]["test"]["sd"]
                print(
                    f"{dataset:<10}{kind:<12}{test:.2%}"
                    + (f" ± {sd:.2%}" if sd is not None else "")
                    + f" over {kinds[kind]['seeds']} seeds, learning rate {kinds[kind]['rate']:g}"
                )


if __name__ == "__main__":
    main()
