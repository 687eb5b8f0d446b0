"""Evaluation during a training: when it takes place, what it measures, and which step was the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn
from transformers import EarlyStoppingCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..config import TrainConfig
from ..core.errors import InputError
from ..core.progress import without_bars
from ..data.record import Record
from ..experiment import Experiment
from ..tasks.evaluation import evaluate
from ..tasks.task import Task
from .schedule import Stretch


@dataclass(frozen=True)
class Validation:
    """What is measured during a training.

    Attributes:
        task: whose metrics.
        records: to measure on.
        config: when, and what makes an evaluation the best.
        searching: the first steps of the training, which draw subnetworks and are not evaluated.
    """

    task: Task
    records: Sequence[Record]
    config: TrainConfig
    searching: int

    @classmethod
    def of(cls, experiment: Experiment, stretch: Stretch) -> Validation | None:
        """That of an experiment's steps; ``None``: nothing is evaluated.

        Raises:
            InputError: there is nothing to measure on.
        """
        check_validation(experiment)
        config = experiment.training
        return None if config.eval_steps is None else cls(experiment.task, experiment.valid, config, stretch.searching)

    @property
    def metric(self) -> str:
        """The name of the number that makes an evaluation the best."""
        return "loss" if self.config.best_by == "loss" else self.task.metric

    def measure(self, model: nn.Module, batch_size: int) -> dict[str, float]:
        """The task's metrics of ``model`` as it stands, and the loss."""
        with without_bars():
            found = evaluate(model, self.task, self.records, batch_size)
        assert found.loss is not None  # something is measured, see check_validation
        return {**found.metrics, "loss": found.loss}


def check_validation(experiment: Experiment) -> None:
    """Refuse evaluations where there is nothing to measure on.

    Raises:
        InputError: there are no validation records, or no known answers.
    """
    if experiment.training.eval_steps is None:
        return
    if not experiment.valid:
        raise InputError("eval_steps: there are no validation records to measure on; give some, or leave it out")
    if not any(map(experiment.task.answered, experiment.valid)):
        raise InputError("eval_steps: no answer of the validation records is known; give others, or leave it out")


class ValidationSteps(TrainerCallback):
    """Decides which steps are evaluated: none of the search's, and the last one too; and saves them where the best
    weights are wanted."""

    def __init__(self, validation: Validation) -> None:
        self.validation = validation

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        last = state.global_step >= state.max_steps
        control.should_evaluate = (control.should_evaluate or last) and state.global_step > self.validation.searching
        if control.should_evaluate and self.validation.config.load_best:
            control.should_save = True


def validation_callbacks(validation: Validation | None) -> list[TrainerCallback]:
    """The callbacks that evaluations take."""
    if validation is None:
        return []
    patience = validation.config.early_stopping
    stopping = [] if patience is None else [EarlyStoppingCallback(patience)]
    return [ValidationSteps(validation), *stopping]
