"""A quarter of SmolLM2's layers skipped, on two tasks with pictures: what is left of LoRA's score, and what it costs.

    python benchmarks/smollm2_tasks.py [--tasks daquar flickr8k] [--seeds 0 1 2] [--steps 600]

``smol-photos`` (SmolLM2-135M behind the image encoder of ``meter-photos``) answers DAQUAR's questions by generation,
and writes captions of Flickr8k's photographs. 8 of its 30 layers are skipped: 26.7 %, as 7 would be less than a
quarter.

- ``lora``: LoRA, nothing skipped;
- ``ours``: LoRA and folded skip adapters, the layers searched for in the first part of the training;
- ``fitted``: likewise, with skip adapters that start as the linear maps nearest to their layers (``init: fit``);
- ``shortgpt``: LoRA alone, the layers of least influence;
- ``replaceme``: LoRA's model, a fitted linear map in the place of a stretch, not trained again.

All trainings have the same steps, those of a search included. The score is exact match for DAQUAR; for captions ROUGE-L
(F1, the best of a photograph's captions) of greedy captions. ``relative`` is a score over LoRA's of the same seed,
``trained`` the share of the whole model's parameters. Resumable: every run has its own folder in ``--runs``, and what
is finished is only read. Writes ``benchmarks/results/smollm2_tasks.json`` after each run.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import shlex
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from transformers import PreTrainedModel

import skiptune as st
from skiptune.core.files import write_json
from skiptune.core.number_types import fast_type
from skiptune.core.process import keep_freed_memory, quiet_libraries, versions
from skiptune.core.text_files import read_json
from skiptune.data.splits import count_images
from skiptune.inserting.lora import merge_lora
from skiptune.tasks.generation.task import Generation

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
MODEL, SKIP = "smol-photos", 8
METHODS = ("lora", "ours", "fitted", "shortgpt", "replaceme")
LORA = st.SkipConfig(block_adapter="lora", skip_adapter="none", lora_rank=8)
PROMPTS = {"daquar": "Answer with one word or a list of words.", "flickr8k": None}
#: Held-out photographs of the search, and pictures that a map is fitted to.
VALID, FITTED = 100, 256
Row = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """A task with its records.

    Attributes:
        name: ``daquar`` or ``flickr8k``.
        train, valid: what is trained on, and what searches look at; no picture is in both.
        test: what is measured on.
        training: settings of search and training.
    """

    name: str
    task: Generation
    train: Sequence[st.Record]
    valid: Sequence[st.Record]
    test: Sequence[st.Record]
    training: st.TrainConfig

    def experiment(self, strategy: str = "bandit") -> st.Experiment:
        """With a budget of eight layers."""
        search = st.SearchConfig(strategy=strategy)  # type: ignore[arg-type]
        return st.Experiment(
            self.task, self.train, self.valid, st.Budget(num_skip=SKIP), search=search, training=self.training
        )

    def batches(self) -> list[dict[str, Any]]:
        """Inputs that a linear map is fitted to."""
        records = list(self.train[:FITTED])
        collated = (self.task.collate(records[at : at + 16]) for at in range(0, len(records), 16))
        return [{name: value for name, value in batch.items() if "label" not in name} for batch in collated]


def setting(name: str, seed: int, steps: int, asked: int) -> Setting:
    """Read the records; of the development part, ``asked`` are measured on."""
    folder = SHARED / name
    task = Generation(st.load_processor(MODEL), prompt=PROMPTS[name], max_new_tokens=24)
    whole, test = (
        st.read_jsonl(folder / f"{part}.jsonl", folder / "images", require_answers=False) for part in ("train", "dev")
    )
    train, valid = st.split_by_image(whole, VALID / count_images(whole), seed=0)
    training = st.TrainConfig(
        max_steps=steps, batch_size=16, learning_rate=3e-4, seed=seed, bf16=fast_type() is torch.bfloat16
    )
    return Setting(name, task, train, valid, list(test)[:asked], training)


def model_with(config: st.SkipConfig) -> PreTrainedModel:
    """The model with adapters."""
    return st.insert(st.load_model(MODEL, "generation"), config)


def lora(made: Setting, folder: Path) -> tuple[PreTrainedModel, Row]:
    model = model_with(LORA)
    st.fit(model, made.experiment(), folder=folder)
    return model, {"skipped": []}


def searched(made: Setting, folder: Path, strategy: str, adapters: st.SkipConfig) -> tuple[PreTrainedModel, Row]:
    model = model_with(adapters)
    if adapters.init == "fit":
        st.fit_skip_adapters(model, made.task, made.train, batches=FITTED // 16, batch_size=16)
    experiment = made.experiment(strategy)
    plan = st.search(model, experiment, folder=folder)
    st.fit(model, experiment, plan, folder=folder, done=plan.steps)
    return model, {"skipped": list(plan.skipped)}


def ours(made: Setting, folder: Path) -> tuple[PreTrainedModel, Row]:
    return searched(made, folder, "bandit", LORA.replace(skip_adapter="folded"))


def fitted(made: Setting, folder: Path) -> tuple[PreTrainedModel, Row]:
    return searched(made, folder, "bandit", LORA.replace(skip_adapter="folded", init="fit"))


def shortgpt(made: Setting, folder: Path) -> tuple[PreTrainedModel, Row]:
    return searched(made, folder, "influence", LORA)


def replaceme(made: Setting, folder: Path) -> tuple[PreTrainedModel, Row]:
    """On LoRA's trained model, merged; its folder is beside."""
    trained, _ = lora(made, folder.with_name(folder.name.replace("replaceme", "lora")))
    model = st.load_model(MODEL, "generation")
    model.load_state_dict(merge_lora(trained).state_dict(), strict=True)
    st.insert(model, st.SkipConfig(block_adapter="none", skip_adapter="none"))
    plan = st.replace_me(model, made.batches(), SKIP)
    return model, {"skipped": list(plan.skipped)}


MAKE: dict[str, Callable[[Setting, Path], tuple[PreTrainedModel, Row]]] = {
    "lora": lora,
    "ours": ours,
    "fitted": fitted,
    "shortgpt": shortgpt,
    "replaceme": replaceme,
}


def one_run(method: str, made: Setting, folder: Path) -> Row:
    """Search, train and measure, or read what was measured."""
    path = folder / "measured.json"
    if not path.is_file():
        started = perf_counter()
        model, more = MAKE[method](made, folder)
        seconds = perf_counter() - started
        trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        whole = sum(parameter.numel() for parameter in st.load_model(MODEL, "generation").parameters())
        found = st.evaluate(model, made.task, made.test)
        score = found.headline if made.name == "daquar" else rouge(found.predictions, made.test)
        share = 0.0 if method == "replaceme" else trained / whole
        write_json(path, {**more, "score": score, "loss": found.loss, "trained": share, "seconds": seconds})
    content: Row = read_json(path)
    return content


def rouge(written: Sequence[Any], records: Sequence[st.Record]) -> float:
    """ROUGE-L, F1: the mean over photographs of the best over their captions."""
    return statistics.mean(
        max(_rouge(_words(str(text)), _words(caption)) for caption in record.captions)
        for text, record in zip(written, records, strict=True)
    )


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


def _rouge(one: list[str], other: list[str]) -> float:
    """Twice the longest common subsequence over both lengths."""
    lengths = [0] * (len(other) + 1)
    for word in one:
        before = 0
        for place, against in enumerate(other, 1):
            before, lengths[place] = (
                lengths[place],
                before + 1 if word == against else max(lengths[place], lengths[place - 1]),
            )
    return 2 * lengths[-1] / max(1, len(one) + len(other))


def summary(rows: Sequence[Row]) -> list[Row]:
    """Means over the seeds, and scores relative to LoRA's."""
    found = []
    for task, method in itertools.product(PROMPTS, METHODS):
        own = [row for row in rows if (row["task"], row["method"]) == (task, method)]
        base = {row["seed"]: row for row in rows if (row["task"], row["method"]) == (task, "lora")}
        own = [row for row in own if row["seed"] in base]
        if own:
            relative = [row["score"] / max(base[row["seed"]]["score"], 1e-9) for row in own]  # of trials it is 0
            time = [row["seconds"] / base[row["seed"]]["seconds"] for row in own]
            found.append(
                {
                    "task": task,
                    "method": method,
                    "seeds": len(own),
                    "score": statistics.mean(row["score"] for row in own),
                    "relative": statistics.mean(relative),
                    "loss": statistics.mean(row["loss"] for row in own),
                    "relative_sd": statistics.stdev(relative) if len(own) > 1 else None,
                    "trained": own[0]["trained"],
                    "time": statistics.mean(time),
                }
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=list(PROMPTS), choices=list(PROMPTS))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--asked", type=int, default=400)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark-smollm2-tasks"))
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "smollm2_tasks.json")
    options = parser.parse_args()
    quiet_libraries()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    common = {
        "skip": SKIP,
        "of": 30,
        "steps": options.steps,
        "command": shlex.join(["python", "benchmarks/smollm2_tasks.py", *sys.argv[1:]]),
        "threads": options.threads,
        "numbers": str(fast_type()).removeprefix("torch."),
        "cores": os.cpu_count(),
        "versions": versions(),
    }
    rows: list[Row] = []
    for seed, task, method in itertools.product(options.seeds, options.tasks, options.methods):
        made = setting(task, seed, options.steps, options.asked)
        folder = options.runs / f"{task}-{method}-{options.steps}-seed-{seed}"
        rows.append({"task": task, "method": method, "seed": seed, **one_run(method, made, folder)})
        write_json(options.output, {"summary": summary(rows), "runs": rows, **common})
        print(f"{task} {method} seed {seed}: {rows[-1]['score']:.4f} ({rows[-1]['seconds']:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
