"""Training as users of transformers know it: optimizers, schedules, precision, evaluations, checkpoints of the best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast, get_args

import pytest
import torch
from torch import nn
from transformers import EarlyStoppingCallback, Trainer, TrainerCallback
from transformers.integrations import TensorBoardCallback
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK
from transformers.trainer_callback import ExportableState
from transformers.trainer_utils import SchedulerType
from transformers.training_args import OptimizerNames

from skiptune import (
    Experiment,
    InputError,
    Plan,
    Record,
    SkipConfig,
    TrainConfig,
    Vqa,
    blocks_of,
    evaluate,
    fit,
    search,
)
from skiptune.config import Budget, SearchConfig
from skiptune.core import trainer_fields
from skiptune.training.machine import check_machine
from skiptune.training.optimizer import optimizer_class
from skiptune.training.reports import keep_reports
from skiptune.training.schedule import Stretch, make_scheduler
from skiptune.training.trained_state import trained_state
from skiptune.training.trainer_arguments import training_arguments
from skiptune.training.training_log import TrainingLog

BASE = TrainConfig(max_steps=6, batch_size=4, save_steps=2, learning_rate=0.01)
Parts = tuple[list[Record], list[Record]]


class Interrupted(TrainerCallback):
    """Stops a training as a kill would, after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.step:
            raise KeyboardInterrupt


class Counting(TrainerCallback, ExportableState):
    """A user's callback with a state."""

    def __init__(self) -> None:
        self.steps = 0

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.steps += 1

    def state(self) -> dict[str, Any]:
        return {"args": {}, "attributes": {"steps": self.steps}}


class Trained:
    """Trains a tiny model with ``config`` changed by keyword."""

    def __init__(self, make_model: Callable[..., Any], task: Vqa, parts: Parts) -> None:
        self.make_model, self.task, self.parts = make_model, task, parts

    def __call__(
        self, folder: Path | None = None, callbacks: Sequence[TrainerCallback] = (), **changes: Any
    ) -> tuple[nn.Module, TrainingLog]:
        model = self.make_model(SkipConfig())
        names = tuple(blocks_of(model))
        plan = Plan("vilt", names, names[1:2])
        experiment = Experiment(self.task, *self.parts, training=BASE.replace(**changes))
        return model, fit(model, experiment, plan, folder, callbacks=callbacks)


@pytest.fixture
def train(make_model: Callable[..., Any], task: Vqa, parts: Parts) -> Trained:
    return Trained(make_model, task, parts)


def same(one: nn.Module, other: nn.Module) -> bool:
    first, second = trained_state(one), trained_state(other)
    return all(torch.equal(second[name], value) for name, value in first.items())


def rates(config: TrainConfig, stretches: Sequence[Stretch]) -> list[float]:
    """The learning rates of the stretches' steps."""
    found = []
    for stretch in stretches:
        arguments = training_arguments(config, Path("none"), stretch)
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=config.learning_rate)
        schedule = make_scheduler(optimizer, arguments, stretch)
        for _ in range(stretch.steps):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
    return found


def test_the_schedule_spans_search_and_training() -> None:
    linear = [k / 3 for k in range(3)] + [(12 - k) / 9 for k in range(3, 12)]
    parts = [Stretch(0, 9, 12, 0.25), Stretch(9, 3, 12, 0.25)]
    assert rates(TrainConfig(learning_rate=1), parts) == pytest.approx(linear)
    for name in ("cosine", "constant_with_warmup", "inverse_sqrt", "polynomial", "cosine_with_restarts"):
        config = TrainConfig(learning_rate=0.1, scheduler=name)
        assert rates(config, parts) == pytest.approx(rates(config, [Stretch(0, 12, 12, 0.25)])), name
    settings = {"num_decay_steps": 2, "min_lr_ratio": 0.5}
    config = TrainConfig(learning_rate=1, scheduler="warmup_stable_decay", arguments={"lr_scheduler_kwargs": settings})
    assert rates(config, parts)[-4:] == pytest.approx([1, 1, 1, 0.75])


def test_the_default_optimizer_is_adamw_with_the_betas_of_the_paper(tmp_path: Path) -> None:
    stretch = Stretch(0, 4, 4, 0.1)
    expected = (torch.optim.AdamW, {"lr": 1e-3, "betas": (0.9, 0.98), "eps": 1e-8})
    assert optimizer_class(training_arguments(TrainConfig(), tmp_path, stretch)) == expected
    other = TrainConfig(optimizer="sgd", arguments={"optim_args": "momentum=0.5"})
    assert optimizer_class(training_arguments(other, tmp_path, stretch)) == (
        torch.optim.SGD,
        {"lr": 1e-3, "momentum": 0.5},
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "sgd", "scheduler": "cosine"},
        {"optimizer": "adafactor", "gradient_accumulation": 2},
        {"scheduler": "reduce_lr_on_plateau", "eval_steps": 1, "arguments": {"lr_scheduler_kwargs": {"patience": 0}}},
        {"bf16": True},
        {"gradient_checkpointing": True},
        {"early_stopping": 5, "load_best": True, "eval_steps": 1},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_a_training_goes_on_bit_for_bit(changes: dict[str, Any], train: Trained, tmp_path: Path) -> None:
    whole, log = train(tmp_path / "whole", learning_rate_factors={"head": 0.5}, **changes)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "killed", [Counting(), Interrupted(5)], learning_rate_factors={"head": 0.5}, **changes)
    (tmp_path / "killed").rename(tmp_path / "moved")
    counting = Counting()
    resumed, again = train(tmp_path / "moved", [counting], learning_rate_factors={"head": 0.5}, **changes)
    assert same(whole, resumed)
    assert counting.steps == 6
    assert (again.history, again.evaluations, again.best_step) == (log.history, log.evaluations, log.best_step)
    assert {p.dtype for p in resumed.parameters()} == {torch.float32}
    assert "forward" not in vars(resumed)


def test_what_changes_the_weights_and_what_does_not(train: Trained, task: Vqa, parts: Parts, tmp_path: Path) -> None:
    plain, first = train()
    half, other = train(bf16=True)
    assert not same(plain, half)
    assert other.history[0].loss == pytest.approx(first.history[0].loss, rel=0.02)
    model, log = train(tmp_path / "folder", eval_steps=4, gradient_checkpointing=True)
    assert same(plain, model)
    assert not any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
    assert [entry.step for entry in log.evaluations] == [4, 6]
    measured = evaluate(model, task, parts[1])
    assert log.evaluations[-1].metrics == measured.metrics
    assert log.evaluations[-1].loss == measured.loss
    log.save(tmp_path / "log.json")
    assert TrainingLog.load(tmp_path / "log.json") == log
    with pytest.raises(InputError, match="no validation records to measure on"):
        Trained(train.make_model, task, (parts[0], []))(eval_steps=2)


def test_the_best_weights_are_the_last_ones(train: Trained, task: Vqa, parts: Parts, tmp_path: Path) -> None:
    """With a learning rate that ruins the model after some steps."""
    model, log = train(tmp_path, eval_steps=1, load_best=True, best_by="loss", learning_rate=0.3, max_steps=8)
    best = min(log.evaluations, key=lambda entry: entry.loss)
    assert log.best_step == best.step < 8
    assert evaluate(model, task, parts[1]).loss == best.loss


def test_a_damaged_best_checkpoint_is_named(train: Trained, tmp_path: Path) -> None:
    """Nothing is put in its place."""
    changes = {"eval_steps": 1, "load_best": True, "best_by": "loss", "learning_rate": 0.3, "max_steps": 8}
    _, log = train(tmp_path, **changes)
    path = tmp_path / f"checkpoint-{log.best_step}" / "trained.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"{path}: differs from what was written"):
        train(tmp_path, **changes)


def test_an_early_stop_stays(train: Trained, tmp_path: Path) -> None:
    """Also where the training is begun again at the step of the stop."""
    changes = {"eval_steps": 1, "load_best": True, "best_by": "loss", "early_stopping": 2, "learning_rate": 1.0}
    model, log = train(tmp_path, max_steps=40, **changes)
    assert log.best_step is not None
    assert log.steps == log.best_step + 2 < 40
    again, second = train(tmp_path, max_steps=40, **changes)
    assert (second.steps, second.best_step) == (log.steps, log.best_step)
    assert same(model, again)
    with pytest.raises(KeyboardInterrupt):  # after the first evaluation that was no better
        train(tmp_path / "killed", [Interrupted(log.steps - 1)], max_steps=40, **changes)
    resumed, third = train(tmp_path / "killed", max_steps=40, **changes)
    assert third.evaluations == log.evaluations
    assert same(model, resumed)
    own, theirs = train(callbacks=[EarlyStoppingCallback(2)], max_steps=40, **{**changes, "early_stopping": None})
    assert theirs.steps == log.steps
    assert same(model, own)


def test_nothing_is_evaluated_while_subnetworks_are_drawn(
    make_model: Callable[..., Any], task: Vqa, parts: Parts, tmp_path: Path
) -> None:
    """Activations are computed again with the blocks skipped that were skipped; callbacks see one training."""
    training = BASE.replace(eval_steps=1, load_best=True, early_stopping=1, gradient_checkpointing=True)
    settings = SearchConfig(max_steps=4, candidates=2, interval=1)
    plans = []
    for config in (training, training.replace(gradient_checkpointing=False)):
        model, folder = make_model(SkipConfig()), tmp_path / str(config.gradient_checkpointing)
        experiment = Experiment(task, *parts, Budget(num_skip=1), settings, config)
        plan = search(model, experiment, folder, callbacks=[Counting()])
        log = fit(model, experiment, plan, folder, plan.steps, [counting := Counting()])
        assert 4 < counting.steps == plan.steps + log.steps <= 6
        assert [entry.step for entry in log.evaluations] == [1, 2][: log.steps]
        plans.append((plan.skipped, log.evaluations, trained_state(model)))
    assert plans[0][:2] == plans[1][:2]
    assert all(torch.equal(value, plans[1][2][name]) for name, value in plans[0][2].items())


def test_what_cannot_run_here_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    config = TrainConfig(
        fp16=not torch.cuda.is_available(),
        report_to=("codecarbon", "azure_ml", "mlflow"),
        optimizer="adamw_anyprecision",
        arguments={"lr_scheduler_kwargs": {"speed": 2}},
    )
    with pytest.raises(InputError) as refused:
        check_machine(config)
    said = str(refused.value)
    assert "train.report_to: codecarbon is not installed; run: pip install codecarbon" in said
    assert "train.report_to: azure_ml is not installed; run: pip install azureml-core" in said
    assert "train.optimizer: adamw_anyprecision cannot be used" in said
    assert torch.cuda.is_available() or "train.fp16: float16 needs a GPU" in said
    with pytest.raises(InputError, match=r"train.scheduler: linear cannot be used: .*speed"):
        check_machine(config.replace(fp16=False, report_to=(), optimizer="sgd"))
    with pytest.raises(InputError, match=r"train.arguments: transformers refuses them: .*logging"):
        check_machine(TrainConfig(arguments={"logging_steps": 0}))


@pytest.mark.parametrize(
    ("values", "problems"),
    [
        ({"optimizer": "adam"}, ["optimizer: 'adam'; did you mean"]),
        ({"scheduler": "cosin"}, ["scheduler: 'cosin'; did you mean 'cosine'?"]),
        ({"optimizer": "galore_adamw"}, ["optimizer: 'galore_adamw'"]),
        ({"report_to": "wand"}, ["report_to: 'wand'; did you mean 'wandb'?"]),
        ({"bf16": True, "fp16": True}, ["bf16 and fp16: choose one of them"]),
        (
            {"early_stopping": 2, "load_best": True},
            ["load_best: needs evaluations; set eval_steps", "early_stopping: "],
        ),
        (
            {"arguments": {"max_steps": 3, "push_to_hub": True, "adam_beta3": 1, "adam_beta2": "x"}},
            [
                "arguments.max_steps: give max_steps instead, a field of train",
                "arguments.push_to_hub: cannot be set; skiptune.export",
                "arguments.adam_beta3: not an argument of transformers' Trainer; did you mean 'adam_beta",
                "arguments.adam_beta2: 'x' is not a number",
            ],
        ),
    ],
)
def test_mistakes_are_named(values: dict[str, Any], problems: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        TrainConfig(**values)
    assert all(f"\n  - {problem}" in str(refused.value) for problem in problems), refused.value


def test_names_are_those_of_transformers() -> None:
    """But for optimizers with groups of their own, or other weights while they train."""
    own = ("galore", "apollo", "lomo", "adalomo", "schedule_free")
    optimizers = {kind.value for kind in OptimizerNames if not kind.value.startswith(own)}
    assert set(get_args(trainer_fields.Optimizer)) >= optimizers
    assert set(get_args(trainer_fields.Scheduler)) >= {kind.value for kind in SchedulerType}
    assert set(get_args(trainer_fields.Reporter)) >= set(INTEGRATION_TO_CALLBACK)


def test_one_place_to_report_to_or_several() -> None:
    assert TrainConfig(report_to="wandb") == TrainConfig(report_to=("wandb",))
    assert TrainConfig.from_dict({"report_to": "none"}) == TrainConfig()


@pytest.mark.parametrize(
    ("callbacks", "said"),
    [
        ([EarlyStoppingCallback(2)], "callbacks: EarlyStoppingCallback needs evaluations; set eval_steps"),
        (["wandb"], "callbacks: 'wandb' is not a TrainerCallback of transformers"),
        (Counting(), "is not a list of transformers' TrainerCallbacks"),
    ],
)
def test_callbacks_that_are_none(callbacks: Any, said: str, train: Trained) -> None:
    with pytest.raises(InputError, match=said):
        train(callbacks=callbacks)


def test_files_of_tensorboard_outlast_the_checkpoints(tmp_path: Path) -> None:
    """A run removes its checkpoints once it has trained; a folder that the environment names is left."""
    for before, after in ((None, str(tmp_path / "tensorboard" / "train")), ("logs", "logs")):
        callback = object.__new__(TensorBoardCallback)  # needs the library to be made
        callback.logging_dir = before
        trainer = SimpleNamespace(callback_handler=SimpleNamespace(callbacks=[callback]))
        keep_reports(cast(Trainer, trainer), tmp_path / "train")
        assert callback.logging_dir == after
