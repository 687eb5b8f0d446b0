"""Every plan of two of SmolLM2-135M's 30 layers, and where searches land among them.

    skiptune convert smollm2-135m runs/smollm2
    python benchmarks/landscape_smollm2.py [--model runs/smollm2] [--tasks captions daquar] [--seeds 3]

``captions`` is held-out text, Flickr8k's captions without their photographs; ``daquar`` a task, DAQUAR's questions and
answers without their pictures. LoRA is first trained on subnetworks of 28 layers that are drawn evenly: the warm-up
that every search shares (one, seed 0). Then all C(30, 2) = 435 plans, and those of one layer and of none, predict the
same texts, in bfloat16 where the processor is fast in it: the judge's, which no search sees, and those that searches
look at, so that searches can be replayed (:mod:`smollm2_searches`). Of captions every other token is scored. Resumable,
batch by batch; with ``--batches`` fewer are measured. Writes ``benchmarks/results/landscape_smollm2.json``.
"""

from __future__ import annotations

import argparse
import copy
import os
import shlex
import sys
from collections.abc import Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments

import skiptune as st
from skiptune.core.files import write_json
from skiptune.core.ignored_label import IGNORED
from skiptune.core.number_types import fast_type
from skiptune.core.process import keep_freed_memory, quiet_libraries, versions
from skiptune.core.progress import track
from skiptune.inserting.lora import merge_lora
from skiptune.searching.prefix_sharing import evaluate_each
from skiptune.training.trained_state import load_trained, trained_state
from smollm2_searches import Table, replayed
from smollm2_texts import Row, Texts, collate, texts

SKIP, BATCH = 2, 16
WARM_UP = {"steps": 80, "batch_size": 8, "learning_rate": 5e-4}
ADAPTERS = st.SkipConfig(block_adapter="lora", skip_adapter="none", lora_rank=8)
#: Batches of 16 texts: those that searches look at, and the judge's.
PARTS = {"captions": {"rewards": 3, "judge": 4}, "daquar": {"rewards": 4, "judge": 6}}


def warmed_up(model: Any, folder: Path, rows: Texts) -> Any:
    """The model with adapters that were trained on drawn subnetworks; trained once."""
    path = folder / "warm-up.safetensors"
    model = st.insert(model, ADAPTERS)
    for parameter in model.parameters():
        parameter.data = parameter.data.float() if parameter.requires_grad else parameter.data
    if not path.is_file():
        search = st.SearchConfig(strategy="influence", max_steps=WARM_UP["steps"], reward_batch_size=8)
        callback = st.SkipSearch(st.Budget(num_skip=SKIP), rows.rewards, search, stop=True)
        trainer(model, folder, rows.train, [callback]).train()
        save_file(trained_state(model), path)
    load_trained(model, load_file(path))
    st.choose(model, ())
    return model.eval()


def trainer(model: Any, folder: Path, train: Sequence[Row], callbacks: list[Any]) -> Trainer:
    """The stock Trainer; a tenth of its steps is the search's."""
    arguments = TrainingArguments(
        output_dir=str(folder / "trainer"),
        per_device_train_batch_size=int(WARM_UP["batch_size"]),
        max_steps=10 * int(WARM_UP["steps"]),
        learning_rate=WARM_UP["learning_rate"],
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=5,
        bf16=fast_type() is torch.bfloat16,
        use_cpu=True,
        save_strategy="no",
        report_to="none",
        logging_steps=10,
    )
    return Trainer(model, arguments, data_collator=collate, train_dataset=list(train), callbacks=callbacks)


def all_sets() -> list[tuple[int, ...]]:
    """Nothing, every layer by itself, every plan."""
    return [(), *((layer,) for layer in range(30)), *combinations(range(30), SKIP)]


def scored(batch: dict[str, Tensor], task: str) -> Tensor:
    """Labels shifted to the places that predict them, ``(rows, tokens - 1)``; of captions every other one."""
    labels = batch["labels"][:, 1:].clone()
    if task == "captions":
        labels[:, 1::2] = IGNORED
    return labels


@torch.no_grad()
def losses_of(model: Any, batch: dict[str, Tensor], labels: Tensor) -> np.ndarray:
    """The sum of every row's losses, ``(rows,)``."""
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    hidden = model.model(**inputs, use_cache=False)[0][:, :-1]
    wanted = labels != IGNORED
    losses = cross_entropy(model.lm_head(hidden[wanted]).float(), labels[wanted], reduction="none")
    rows = wanted.nonzero()[:, 0]
    return torch.zeros(len(labels)).index_add(0, rows, losses).numpy()


def measured(model: Any, path: Path, rows: Sequence[Row], task: str) -> None:
    """Write the losses of every set on a batch, ``(sets, rows)``, and the number of scored tokens, ``(rows,)``."""
    if path.is_file():
        return
    batch, started = collate(rows), perf_counter()
    labels = scored(batch, task)
    names = list(st.blocks_of(model))
    sets = [[names[layer] for layer in one] for one in all_sets()]
    found = np.zeros((len(sets), len(rows)))
    for number, losses in track(evaluate_each(model, sets, partial(losses_of, model, batch, labels)), path.stem):
        found[number] = losses
    with path.with_suffix(".part").open("wb") as file:
        tokens = (labels != IGNORED).sum(1).numpy()
        np.savez_compressed(file, losses=found, tokens=tokens, seconds=perf_counter() - started)
    path.with_suffix(".part").replace(path)


def in_fast_type(model: Any) -> Any:
    """A copy with LoRA merged, which takes a third less time."""
    return merge_lora(copy.deepcopy(model)).to(fast_type()).eval()


def table(model: Any, folder: Path, rows: Texts, task: str, most: int) -> dict[str, Table]:
    """The losses on both parts; batches take turns, so that both grow where the work is cut short."""
    jobs = [(number, part) for part, count in PARTS[task].items() for number in range(min(count, most))]
    merged = in_fast_type(model)
    for number, part in sorted(jobs):
        some = getattr(rows, part)[number * BATCH :][:BATCH]
        measured(merged, folder / f"{part}-{number}.npz", some, task)
    return {part: Table.of(sorted(folder.glob(f"{part}-*.npz")), all_sets()) for part in PARTS[task]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("runs/smollm2"))
    parser.add_argument("--tasks", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs/landscape-smollm2"))
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "landscape_smollm2.json")
    options = parser.parse_args()
    quiet_libraries()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    found: dict[str, Any] = {}
    for task in options.tasks:
        folder = options.runs / task
        folder.mkdir(parents=True, exist_ok=True)
        rows = texts(task, tokenizer)
        torch.manual_seed(0)
        original = AutoModelForCausalLM.from_pretrained(options.model, dtype=fast_type())
        model = warmed_up(original, folder, rows)
        tables = table(model, folder, rows, task, options.batches)
        found[task] = replayed(trainer(model, folder, rows.train, []), rows, tables, options.seeds, folder)
        write_json(
            options.output,
            {
                "tasks": found,
                "warm_up": WARM_UP,
                "adapters": ADAPTERS.to_dict(),
                "command": shlex.join(["python", "benchmarks/landscape_smollm2.py", *sys.argv[1:]]),
                "threads": options.threads,
                "numbers": str(fast_type()).removeprefix("torch."),
                "cores": os.cpu_count(),
                "versions": versions(),
            },
        )


if __name__ == "__main__":
    main()
