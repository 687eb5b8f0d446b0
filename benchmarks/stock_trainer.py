"""``skiptune run`` against a script with transformers' own Trainer and ``SkipSearch``, and what the callback costs.

    python benchmarks/stock_trainer.py [--steps 120]

Both train the embedded ViLT on easy-VQA with the same records, order, optimizer and seed. The plans must be the same,
all losses equal to 1e-6. Then the time inside the callback, comparisons left out, is set against that of a training
step. Writes ``benchmarks/results/stock_trainer.json``.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments, get_scheduler

import skiptune as st
from skiptune.core.files import write_json
from skiptune.core.process import versions

HERE = Path(__file__).parent
ADAPTERS = st.SkipConfig(block_adapter="lora", skip_width=64)
BUDGET = st.Budget(num_skip=4)
BATCH, RATE = 32, 2e-3
Losses = dict[int, float]


def run(steps: int, folder: Path) -> tuple[st.Plan, Losses, st.Run]:
    """As ``skiptune run`` does it."""
    recipe = st.read_recipe("easy-vqa-demo").replace(
        output=str(folder / "run"),
        adapters=ADAPTERS,
        budget=BUDGET,
        train=st.TrainConfig(max_steps=steps, batch_size=BATCH, learning_rate=RATE, arguments={"logging_steps": 1}),
    )
    made = st.Run(recipe)
    made.check()
    plan = made.search()
    made.train()
    log = st.TrainingLog.load(folder / "run" / "logs" / "train.json")
    assert plan.report is not None
    losses = {entry.step: entry.loss for entry in plan.report.history}
    return plan, {**losses, **{plan.steps + entry.step: entry.loss for entry in log.history}}, made


class Timed(st.SkipSearch):
    """Measures the seconds in the callback between two steps, comparisons left out."""

    spent = 0.0

    def _timed(self, event: Callable[..., None], *args: Any, **kwargs: Any) -> None:
        compared, started = self.evaluator.comparisons.seconds, time.perf_counter()
        event(*args, **kwargs)
        taken = time.perf_counter() - started - (self.evaluator.comparisons.seconds - compared)
        self.spent += 0.0 if self.evaluator.comparisons.seconds > compared else taken

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        self._timed(super().on_step_begin, *args, **kwargs)

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        self._timed(super().on_step_end, *args, **kwargs)


class Steps(TrainerCallback):
    """Seconds of every step of the search, all included, and those in the callback."""

    def __init__(self, search: Timed) -> None:
        self.search, self.seconds, self.inside = search, list[float](), list[float]()

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._started, self._before = time.perf_counter(), self.search.spent

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step < self.search.times.steps:
            self.seconds.append(time.perf_counter() - self._started)
            self.inside.append(self.search.spent - self._before)


def script(steps: int, folder: Path, made: st.Run) -> tuple[st.Plan, Losses, Steps]:
    """As a user writes it who knows transformers."""
    train, held_out = list(made.data.train), list(made.data.validation)
    processor = st.load_processor("vilt-scenes")
    task = st.Vqa.from_records(processor, train)
    model = st.load_model("vilt-scenes", task.model_class, seed=0, **task.model_changes())
    task.start_head(model, train)
    st.insert(model, ADAPTERS)
    search = Timed(BUDGET, held_out)
    watch = Steps(search)
    config = st.TrainConfig(learning_rate=RATE)
    optimizer = torch.optim.AdamW(st.optimizer_groups(model, config), lr=RATE, betas=(0.9, 0.98), eps=1e-8)
    arguments = TrainingArguments(
        output_dir=str(folder / "script"),
        per_device_train_batch_size=BATCH,
        max_steps=steps,
        seed=0,
        data_seed=0,
        logging_steps=1,
        save_strategy="no",
        remove_unused_columns=False,
        label_names=["labels"],
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    warmup = -(-steps // 10)
    trainer = Trainer(
        model,
        arguments,
        train_dataset=train,
        data_collator=task.collate,
        callbacks=[watch, search],
        optimizers=(optimizer, get_scheduler("linear", optimizer, warmup, steps)),
    )
    trainer.train()
    assert search.plan is not None
    losses = {entry["step"]: entry["loss"] for entry in trainer.state.log_history if "loss" in entry}
    return search.plan, losses, watch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=120)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        plan, ours, made = run(args.steps, Path(scratch))
        found, theirs, watch = script(args.steps, Path(scratch), made)
    assert plan.report is not None and found.report is not None  # noqa: PT018
    rounds = zip(plan.report.rounds, found.report.rounds, strict=True)
    compared = max(abs(a - b) for one, other in rounds for a, b in zip(one.losses, other.losses, strict=True))
    share = [inside / whole for inside, whole in zip(watch.inside, watch.seconds, strict=True)]
    result = {
        "command": shlex.join(["python", "benchmarks/stock_trainer.py", *sys.argv[1:]]),
        "steps": args.steps,
        "search_steps": plan.steps,
        "skipped": {"run": plan.skipped, "script": found.skipped},
        "largest_difference": {
            "training_loss": max(abs(ours[step] - theirs[step]) for step in theirs),
            "compared_loss": compared,
        },
        "logged_losses": len(theirs),
        "step_s": statistics.median(watch.seconds),
        "callback_s": statistics.median(watch.inside),
        "callback_share": {"median": statistics.median(share), "max": max(share)},
        "threads": torch.get_num_threads(),
        "versions": versions(),
    }
    write_json(HERE / "results" / "stock_trainer.json", result)
    print(result)
    if (
        plan.skipped != found.skipped
        or max(result["largest_difference"].values()) > 1e-6
        or ours.keys() != theirs.keys()
    ):
        raise SystemExit("the two differ")


if __name__ == "__main__":
    main()
