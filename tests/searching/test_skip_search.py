"""``SkipSearch`` in a stock Trainer: the plan and losses of our own run, resumed bit-equal, with the user's loss."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import AdamW
from torch.utils.data import Dataset
from transformers import (
    EarlyStoppingCallback,
    Trainer,
    TrainerCallback,
    TrainerState,
    TrainingArguments,
    get_scheduler,
)

from decoder_training import KillAt, KilledError
from skiptune import (
    Budget,
    Experiment,
    InputError,
    RunError,
    SearchConfig,
    SkipConfig,
    SkipSearch,
    TrainConfig,
    export,
    fit,
    load,
    search,
)
from skiptune.inserting.selection import skipped_blocks
from skiptune.searching.trainer_refusals import refuse_trainer
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
    others = changes.pop("callbacks", [])
    optimizer = AdamW(optimizer_groups(model, CONFIG), lr=1e-3, betas=(0.9, 0.98), eps=1e-8)
    trainer = trainer_class(
        model,
        arguments(folder, **changes),
        data_collator=task.collate,
        train_dataset=list(parts[0]),
        eval_dataset=list(parts[1]) if "eval_strategy" in changes else None,
        callbacks=[*others, callback],
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


def test_a_killed_training_ends_bit_equal(make_model, task, parts, tmp_path: Path) -> None:
    settings, found = SEARCH.replace(strategy="policy"), {}
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


@pytest.mark.filterwarnings("ignore:`gradient_checkpointing")  # its name before transformers 5.24
@pytest.mark.parametrize(
    "changes",
    [
        {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2},
        {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}},
        {"dataloader_num_workers": 0, "eval_strategy": "steps", "eval_steps": 2},
    ],
    ids=["accumulation", "checkpointing", "evaluation"],
)
def test_what_does_not_change_the_mathematics_does_not_change_the_search(
    changes: dict[str, Any], make_model, task, parts, tmp_path: Path
) -> None:
    found = []
    for number, given in enumerate(({}, changes)):
        model = make_model(SkipConfig(block_adapter="lora"))
        settings = SEARCH.replace(max_steps=2, reward_batch_size=8)
        trainer, callback = trainer_of(
            model, task, parts, tmp_path / str(number), search=settings, **{"max_steps": 4, **given}
        )
        trainer.train()
        found.append((callback.plan, trained_state(model)))
    (plan, whole), (other, changed) = found
    assert plan.skipped == other.skipped
    assert plan.report.rounds[0].candidates == other.report.rounds[0].candidates
    for name, value in whole.items():
        torch.testing.assert_close(changed[name], value, rtol=1e-3, atol=1e-5)


def test_half_precision(make_model, task, parts, tmp_path: Path) -> None:
    model = make_model(SkipConfig())
    trainer, callback = trainer_of(model, task, parts, tmp_path, bf16=True, use_cpu=True, max_steps=6)
    trainer.train()
    assert len(callback.plan.skipped) == 2
    assert {value.dtype for value in trained_state(model).values()} == {torch.float32}


class Watched(TrainerCallback):
    """What is skipped at every evaluation, and which step was the best so far."""

    def __init__(self, model: Any) -> None:
        self.model, self.skipped, self.best = model, {}, {}

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.skipped[state.global_step] = skipped_blocks(self.model)
        self.best[state.global_step] = state.best_global_step


def test_the_best_checkpoint_is_one_of_the_plan(make_model, task, parts, tmp_path: Path) -> None:
    model = make_model(SkipConfig())
    watched = Watched(model)
    trainer, callback = trainer_of(
        model,
        task,
        parts,
        tmp_path,
        callbacks=[watched],
        eval_strategy="steps",
        eval_steps=2,
        load_best_model_at_end=True,
        metric_for_best_model="loss",
    )
    trainer.train()
    plan = callback.plan.skipped
    assert watched.skipped == {2: (), 4: (), 6: plan, 8: plan, 10: plan, 12: plan}
    assert trainer.state.best_global_step >= 6
    assert skipped_blocks(model) == plan


@pytest.mark.parametrize("every", [{"eval_strategy": "epoch"}, {"eval_strategy": "steps", "eval_steps": 2}])
def test_early_stopping_counts_from_the_plan_on(every: dict[str, Any], make_model, task, parts, tmp_path: Path) -> None:
    model = make_model(SkipConfig())
    watched = Watched(model)
    trainer, callback = trainer_of(
        model,
        task,
        (list(parts[0])[:16], parts[1]),
        tmp_path,
        callbacks=[EarlyStoppingCallback(1, early_stopping_threshold=1e3), watched],
        metric_for_best_model="loss",
        search=SEARCH.replace(max_steps=7, interval=3),
        save_strategy="no",
        **every,
    )
    trainer.train()
    plan = callback.plan
    assert plan.steps == 7  # not stopped by the evaluations before
    assert list(watched.skipped) == [2, 4, 6, 8, 10]
    assert watched.skipped[2] == ()
    assert watched.skipped[6] == watched.skipped[4]
    assert watched.skipped[8] == watched.skipped[10] == plan.skipped


class Rows(Dataset):
    """Rows of a user's own: dictionaries, whose collator makes more than the model takes."""

    def __init__(self, records: Any) -> None:
        self.records, self.epochs = records, []

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {"record": self.records[row], "weight": 1.0}

    def set_epoch(self, epoch: int) -> None:
        self.epochs.append(epoch)


class WeightedTrainer(Trainer):
    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **kwargs: Any) -> Any:
        weights = inputs.pop("weights")
        outputs = model(**inputs)
        loss = outputs.loss * weights.mean()
        return (loss, outputs) if return_outputs else loss


def test_a_dataset_and_a_collator_of_ones_own(make_model, task, parts, tmp_path: Path) -> None:
    def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            **task.collate([row["record"] for row in rows]),
            "weights": torch.tensor([row["weight"] for row in rows]),
        }

    model, held_out = make_model(SkipConfig()), Rows(parts[1])
    callback = SkipSearch(Budget(macs=-0.2), "plan", SEARCH.replace(strategy="leave_one_out"))
    trainer = WeightedTrainer(
        model,
        arguments(tmp_path, save_strategy="no"),
        data_collator=collate,
        train_dataset=Rows(parts[0]),
        eval_dataset={"plan": held_out, "validation": Rows(parts[1])},
        callbacks=[callback],
    )
    trainer.train()
    assert callback.plan.skipped
    assert held_out.epochs
    folder = export(model, tmp_path / "slim", callback.plan, task)
    assert load(folder).manifest.plan.skipped == callback.plan.skipped


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"held_out": None}, "held_out: no dataset given"),
        ({"held_out": "validation"}, "held_out: 'validation': no such"),
        ({"held_out": []}, "held_out: the dataset is empty"),
        ({"held_out": iter([1])}, "has no rows by number"),
        ({"budget": Budget(macs=-0.99)}, "cannot be met"),
        ({"search": SearchConfig(max_steps=12)}, "the search takes 12 steps and the training has 12"),
        ({"restore_callback_states_from_checkpoint": True}, "restore_callback_states_from_checkpoint"),
        ({"label_names": ["answers"]}, "set label_names"),
        ({"callbacks": [SkipSearch(TWO)]}, "two SkipSearch"),
    ],
)
def test_mistakes_are_told_before_a_step_is_taken(
    changes: dict[str, Any], said: str, make_model, task, parts, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        trainer_of(make_model(SkipConfig()), task, parts, tmp_path, **changes)[0].train()


def test_other_settings_do_not_go_on(make_model, task, parts, tmp_path: Path) -> None:
    trainer_of(make_model(SkipConfig()), task, parts, tmp_path, max_steps=6)[0].train()
    for changes in ({"budget": Budget(num_skip=1)}, {"search": SEARCH.replace(batches=2)}):
        with pytest.raises(InputError, match="they cannot change when it goes on"):
            trainer_of(make_model(SkipConfig()), task, parts, tmp_path, **changes)[0].train(resume_from_checkpoint=True)


@pytest.mark.parametrize("strategy", ["even", "random"])
def test_strategies_without_training_fix_the_plan_at_once(
    strategy: str, make_model, task, parts, tmp_path: Path
) -> None:
    model = make_model(SkipConfig())
    settings = SearchConfig(strategy=strategy)
    trainer, callback = trainer_of(model, task, parts, tmp_path, search=settings, max_steps=1, save_strategy="no")
    trainer.train()
    assert callback.plan.strategy == strategy
    assert len(skipped_blocks(model)) == 2


def test_outside_a_trainer(task) -> None:
    with pytest.raises(RunError, match="not called by a Trainer"):
        SkipSearch(TWO).on_train_begin(None, TrainerState(), None)
    with pytest.raises(InputError, match="budget"):
        SkipSearch(0.25)


class SftLoop(Trainer):
    """What TRL's ``SFTTrainer`` does otherwise than its parent: rows prepared when it is made, columns of its own, a
    loss that changes its inputs, wants outputs and keeps measures by mode, which ``log`` reports and forgets."""

    def __init__(self, *args: Any, train_dataset: Any, eval_dataset: Any, **kwargs: Any) -> None:
        prepared = {name: Rows(rows) for name, rows in eval_dataset.items()}
        super().__init__(*args, train_dataset=Rows(train_dataset), eval_dataset=prepared, **kwargs)
        self.measures: dict[str, list[float]] = {"train": [], "eval": []}

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns = ["record", "weight"]

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        inputs.pop("weights")
        loss, outputs = super().compute_loss(model, inputs, return_outputs=True, num_items_in_batch=num_items_in_batch)
        right = outputs.logits.argmax(-1) == inputs["labels"].argmax(-1)
        self.measures["train" if self.model.training else "eval"].append(float(right.float().mean()))
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        mode = "train" if self.model.training else "eval"
        super().log({**logs, "accuracy": sum(self.measures[mode]) / max(1, len(self.measures[mode]))}, *args, **kwargs)
        self.measures[mode].clear()


def test_the_loop_of_a_supervised_fine_tuning_trainer(make_model, task, parts, tmp_path: Path) -> None:
    def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
        weights = torch.ones(len(rows))
        return {**task.collate([row["record"] for row in rows]), "weights": weights}

    callback = SkipSearch(TWO, "held_out", SEARCH)
    trainer = SftLoop(
        make_model(SkipConfig(block_adapter="lora")),
        arguments(tmp_path, remove_unused_columns=True, save_strategy="no", max_steps=6, gradient_accumulation_steps=2),
        train_dataset=list(parts[0]),
        eval_dataset={"held_out": list(parts[1])},
        data_collator=collate,
        callbacks=[callback],
    )
    trainer.train()
    assert len(callback.plan.skipped) == 2
    assert callback.plan.steps == 5
    assert all(0 <= entry["accuracy"] <= 1 for entry in trainer.state.log_history if "loss" in entry)


@pytest.mark.filterwarnings("ignore:`gradient_checkpointing")
@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({}, False),
        ({"gradient_checkpointing": True}, True),
        ({"ddp_find_unused_parameters": False}, True),
        ({"gradient_checkpointing": True, "ddp_find_unused_parameters": True}, False),
    ],
)
def test_several_processes_must_look_for_unused_parameters(
    changes: dict[str, Any], refused: bool, make_model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if hasattr(TrainingArguments, "activation_checkpointing"):  # the name since transformers 5.24
        changes = {name.replace("gradient_", "activation_"): value for name, value in changes.items()}
    trainer = Trainer(make_model(SkipConfig()), arguments(tmp_path, **changes))
    monkeypatch.setattr("skiptune.searching.trainer_refusals.processes", lambda: 2)
    with pytest.raises(InputError, match="ddp_find_unused_parameters") if refused else nullcontext():
        refuse_trainer(trainer, SkipSearch, goes_on=True)
