"""easy-VQA answered by generating: LoRA with 4 of 12 layers skipped, beside LoRA without skipping and random plans.

    python benchmarks/easy_vqa_chat.py [--seeds 0 1 2] [--random 0] [--asked 2000] [--threads 2]

Runs of the recipe ``easy-vqa-chat``: search, training and evaluation, LoRA without skipping trained beside it, and the
plain checkpoint. Then transformers alone reads the plain checkpoint and is asked ``--asked`` test questions again, as
are the model of the run and the model before any training, whole and with the plan's layers skipped. Resumable: every
run has its own folder in ``--runs``, and what is finished there is only read. Writes
``benchmarks/results/easy_vqa_chat.json`` after each seed.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, PreTrainedModel, ProcessorMixin

from skiptune.core.files import write_json
from skiptune.core.process import keep_freed_memory, quiet_libraries, versions
from skiptune.costs.cost_table import cost_table
from skiptune.data.record import Record
from skiptune.inserting.selection import choose
from skiptune.running.plain_step import PLAIN, export_plain
from skiptune.running.recipe_reading import read_recipe
from skiptune.running.run import Run

_RECIPE = "easy-vqa-chat"
_BATCH = 100
Row = dict[str, Any]


@torch.inference_mode()
def answers(model: PreTrainedModel, processor: ProcessorMixin, records: Sequence[Record]) -> list[str]:
    """What ``model`` generates, by transformers' own code alone."""
    model.eval()
    found: list[str] = []
    for start in range(0, len(records), _BATCH):
        part = records[start : start + _BATCH]
        contents = [[{"type": "image"}, {"type": "text", "text": record.question}] for record in part]
        texts = [
            processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
            for content in contents
        ]
        images = [Image.open(str(record.image)).convert("RGB") for record in part]
        inputs = processor(text=texts, images=images, padding=True, return_tensors="pt").to(model.device)
        ids = model.generate(**inputs, do_sample=False, max_new_tokens=8)
        found += processor.batch_decode(ids[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return [text.strip() for text in found]


def asked_again(run: Run, count: int) -> Row:
    """The plain checkpoint, read by transformers alone, and the run's model are asked the same test questions."""
    export_plain(run.folder, run.trained, run.measured)
    records = list(run.data.test or ())[:count]
    processor = AutoProcessor.from_pretrained(run.folder / PLAIN)
    plain = AutoModelForImageTextToText.from_pretrained(run.folder / PLAIN, dtype=torch.float32)
    theirs, own = answers(plain, processor, records), answers(run.trained()[0], processor, records)
    right = [text in record.answers for text, record in zip(theirs, records, strict=True)]
    return {
        "layers": plain.config.get_text_config().num_hidden_layers,
        "asked": len(records),
        "equal_answers": statistics.mean(a == b for a, b in zip(theirs, own, strict=True)),
        "exact_match": statistics.mean(right),
    }


def untrained(run: Run, count: int) -> Row:
    """Exact match of the model as it was pre-trained, whole and with the plan's layers skipped."""
    records = list(run.data.test or ())[:count]
    processor, model = run.task.processor.whole, run.fresh_model(fitted=False)
    found = {}
    for name, skipped in (("unskipped", ()), ("skipped", run.search().skipped)):
        choose(model, skipped)
        texts = answers(model, processor, records)
        found[name] = statistics.mean(text in record.answers for text, record in zip(texts, records, strict=True))
    return found


def one_run(seed: int, random_plans: int, asked: int, folder: Path, changes: list[str]) -> Row:
    """Search, train and measure one run and what stands beside it, or read what it found."""
    baselines = ["unskipped", *["random"] * (seed < random_plans)]
    own = [f"train.seed={seed}", f"baselines=[{','.join(baselines)}]"]
    run = Run(read_recipe(_RECIPE, [*changes, *own], str(folder / f"seed-{seed}")))
    run.check()
    plan, measured = run.search(), run.evaluate()
    beside = {name: run.baseline(name) for name in baselines}
    costs = cost_table(run.models.original(), run.recipe.adapters, plan.skipped, *run.input_size())
    return {
        "seed": seed,
        "skipped": list(plan.skipped),
        "metrics": dict(measured.parts["test"].metrics),
        "beside": {
            name: {
                "skipped": list(found.skipped),
                "metrics": dict(found.parts["test"].metrics),
                "seconds": found.seconds,
                "trained": found.trainable,
            }
            for name, found in beside.items()
        },
        "plain": asked_again(run, asked),
        "untrained": untrained(run, asked),
        "relative_macs": costs.relative_macs,
        "trained": costs.trained_with_plan,
        "seconds": {"search": plan.report.seconds if plan.report else None, **run.step_seconds()},
    }


def summary(rows: list[Row]) -> Row:
    """Means over the seeds, and standard deviations where there are several."""
    own = [row["metrics"]["exact_match"] for row in rows]
    unskipped = [row["beside"]["unskipped"]["metrics"]["exact_match"] for row in rows]
    random_plans = [row["beside"]["random"]["metrics"]["exact_match"] for row in rows if "random" in row["beside"]]
    seconds = {
        name: [row["beside"][name]["seconds"] for row in rows if name in row["beside"]]
        for name in ("unskipped", "random")
    }
    parts = {"skipped": own, "unskipped": unskipped, "random": random_plans}
    return {
        "seeds": len(rows),
        **{f"{name}_mean": statistics.mean(values) for name, values in parts.items() if values},
        **{f"{name}_sd": statistics.stdev(values) for name, values in parts.items() if len(values) > 1},
        "difference_mean": statistics.mean(a - b for a, b in zip(own, unskipped, strict=True)),
        "skipped_seconds": statistics.mean(row["seconds"]["search"] + row["seconds"]["train"] for row in rows),
        **{f"{name}_seconds": statistics.mean(values) for name, values in seconds.items() if values},
        **{
            f"untrained_{name}_mean": statistics.mean(row["untrained"][name] for row in rows)
            for name in ("unskipped", "skipped")
        },
        "equal_answers_least": min(row["plain"]["equal_answers"] for row in rows),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--random", type=int, default=0, help="seeds below this one train a random plan as well")
    parser.add_argument("--asked", type=int, default=2000, help="test questions asked again of the plain checkpoint")
    parser.add_argument("--set", action="append", default=[], dest="changes", help="further changes of the recipe")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark-easy-vqa-chat"))
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "easy_vqa_chat.json")
    options = parser.parse_args()
    quiet_libraries()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    common = {
        "recipe": read_recipe(_RECIPE, options.changes).to_dict(),
        "command": shlex.join(["python", "benchmarks/easy_vqa_chat.py", *sys.argv[1:]]),
        "threads": options.threads,
        "cores": os.cpu_count(),
        "versions": versions(),
    }
    rows: list[Row] = []
    for seed in options.seeds:
        rows.append(one_run(seed, options.random, options.asked, options.runs, options.changes))
        write_json(options.output, {"summary": summary(rows), "runs": rows, **common})
        print(f"seed {seed}: {summary(rows[-1:])}", flush=True)


if __name__ == "__main__":
    main()
