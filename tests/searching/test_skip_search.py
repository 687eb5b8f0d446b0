"""``SkipSearch`` in a stock Trainer: the plan and losses of our own run, resumed bit-equal, with the user's loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import AdamW
from transformers import Trainer, TrainerCallback, TrainingArguments, get_scheduler

from skiptune import Budget, Experiment, SearchConfig, SkipConfig, SkipSearch, TrainConfig, fit, search
from skiptune.inserting.selection import skipped_blocks
from skiptune.training.optimizer import optimizer_groups
from skiptune.training.trained_state import trained_state

TWO = Budget(num_skip=2)
CONFIG = TrainConfig(max_steps=12, batch_size=8, learning_rate=1e-3)
SEARCH = SearchConfig(max_steps=5, interval=2, candidates=3)


def arguments(folder: Path, **changes: Any) -> TrainingArguments:
    usual: dict[str, Any] = {
        "output_dir": str(folder),
        "per_device_train_batch_size": 8,
        "max_steps": 12,
        "learning_rate": 1e-3,
        "seed": 0,
        "data_seed": 0,
        "save_steps": 2,
        "logging_steps": 1,
        "remove_unused_columns": False,
        "label_names": ["labels"],
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }
    return TrainingArguments(**{**usual, **changes})


def trainer_of(model: Any, task: Any, parts: Any, folder: Path, **changes: Any) -> tuple[Trainer, SkipSearch]:
    """A stock Trainer on records, with the optimizer and the schedule that :func:`skiptune.fit` has."""
    trainer_class, settings = changes.pop("trainer_class", Trainer), changes.pop("search", SEARCH)
    held_out = changes.pop("held_out", list(parts[1]))
    callback = SkipSearch(changes.pop("budget", TWO), held_out, settings)
    optimizer = AdamW(optimizer_groups(model, CONFIG), lr=1e-3, betas=(0.9, 0.98), eps=1e-8)
    trainer = trainer_class(
        model,
        arguments(folder, **changes),
        data_collator=task.collate,
        train_dataset=list(parts[0]),
        callbacks=[*changes.pop("callbacks", []), callback],
        optimizers=(optimizer, get_scheduler("linear", optimizer, 2, 12)),
    )
    return trainer, callback


def losses_of(folder: Path) -> dict[int, float]:
    newest = max(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    entries = json.loads((newest / "trainer_state.json").read_text())["log_history"]
    return {entry["step"]: entry["loss"] for entry in entries if "loss" in entry}


@pytest.mark.parametrize("strategy", ["bandit", "policy"])
def test_a_stock_trainer_and_our_own_agree(strategy: str, make_model, task, parts, tmp_path: Path) -> None:
    settings, lora = SEARCH.replace(strategy=strategy), SkipConfig(block_adapter="lora")
    ours, experiment = make_model(lora), Experiment(task, *parts, TWO, settings, CONFIG)
    plan = search(ours, experiment, tmp_path / "ours")
    log = fit(ours, experiment, plan, tmp_path / "ours", plan.steps)
    theirs = make_model(lora)
    trainer, callback = trainer_of(theirs, task, parts, tmp_path / "theirs", search=settings)
    trainer.train()
    found = callback.plan
    assert found is not None
    assert found.report is not None
    assert found.skipped == plan.skipped == skipped_blocks(theirs)
    assert found.preferences == pytest.approx(plan.preferences, abs=1e-6)
    assert [entry.losses for entry in found.report.rounds] == [
        pytest.approx(entry.losses, abs=1e-6) for entry in plan.report.rounds
    ]
    wanted = [*plan.report.history, *(entry.replace(step=entry.step + plan.steps) for entry in log.history)]
    logged = losses_of(tmp_path / "theirs")
    assert [logged[entry.step] for entry in wanted] == pytest.approx([entry.loss for entry in wanted], abs=1e-6)
    assert len(wanted) == 12
    other = trained_state(theirs)
    for name, value in trained_state(ours).items():
        torch.testing.assert_close(other[name], value, rtol=0, atol=1e-6)


class KilledError(Exception):
    pass


class KillAt(TrainerCallback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.step:
            raise KilledError


@pytest.mark.parametrize("strategy", ["bandit", "policy"])
def test_a_killed_training_ends_bit_equal(strategy: str, make_model, task, parts, tmp_path: Path) -> None:
    settings, found = SEARCH.replace(strategy=strategy), {}
    for name, kills in (("whole", []), ("killed", [3, 6])):
        for kill in [*kills, None]:
            model = make_model(SkipConfig(block_adapter="lora"))
            trainer, callback = trainer_of(model, task, parts, tmp_path / name, search=settings)
            if kill is not None:
                trainer.add_callback(KillAt(kill))
            try:
                trainer.train(resume_from_checkpoint=bool(list((tmp_path / name).glob("checkpoint-*"))))
            except KilledError:
                assert kill is not None
        found[name] = callback.plan, trained_state(model)
    (plan, whole), (again, killed) = found["whole"], found["killed"]
    assert plan.skipped == again.skipped
    assert plan.preferences == again.preferences
    assert [entry.losses for entry in plan.report.rounds] == [entry.losses for entry in again.report.rounds]
    assert whole.keys() == killed.keys()
    assert all(torch.equal(value, killed[name]) for name, value in whole.items())


class ScaledTrainer(Trainer):
    """A loss of the user's own."""

    calls = 0

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **kwargs: Any) -> Any:
        ScaledTrainer.calls += not model.training
        outputs = model(**inputs)
        loss = 10 * outputs.loss
        return (loss, outputs) if return_outputs else loss


def test_subnetworks_are_compared_by_the_trainers_own_loss(make_model, task, parts, tmp_path: Path) -> None:
    rounds = []
    for kind in (Trainer, ScaledTrainer):
        trainer, callback = trainer_of(
            make_model(SkipConfig()), task, parts, tmp_path, trainer_class=kind, learning_rate=0.0, save_strategy="no"
        )
        trainer.optimizer.param_groups[0]["lr"] = 0.0
        trainer.lr_scheduler.base_lrs = [0.0] * len(trainer.optimizer.param_groups)
        trainer.train()
        rounds.append(callback.plan.report.rounds[0].losses)
    assert ScaledTrainer.calls > 0
    assert [10 * loss for loss in rounds[0]] == pytest.approx(rounds[1], rel=1e-4)
