"""The log of a training: time, steps, and losses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from ..core.errors import InputError
from ..core.files import write_json
from ..core.text_files import read_json
from ..core.validated import Number, Validated
from ..plan import LoggedLoss

if TYPE_CHECKING:
    from transformers import TrainerState

#: Beginning of the names of what the Trainer logs of an evaluation.
_PREFIX = "eval_"


class LoggedEvaluation(Validated):
    """What was measured on the validation records after ``step``.

    Attributes:
        step: optimizer steps, counted like those of the losses.
        loss: mean over the records.
        metrics: of the task by name, its headline first.
    """

    step: int
    loss: Number
    metrics: dict[str, Number] = Field(default={})


@dataclass(frozen=True)
class TrainingLog:
    """The log of one call of :func:`skiptune.fit`, or of the training steps of a search.

    Attributes:
        seconds: wall time of this call; a resumed training counts from the resume.
        steps: optimizer steps, those before a resume included.
        history: mean training losses, about fifty over the training.
        evaluations: on the validation records, every ``eval_steps`` steps.
        best_step: with ``load_best``: the step whose weights the training ended with.
    """

    seconds: float
    steps: int
    history: tuple[LoggedLoss, ...]
    evaluations: tuple[LoggedEvaluation, ...] = ()
    best_step: int | None = None

    @classmethod
    def of(cls, seconds: float, state: TrainerState, best: bool = False) -> TrainingLog:
        """The log of a training that ended in ``state``, with the ``best`` weights or the last ones."""
        found = (entry for entry in state.log_history if f"{_PREFIX}loss" in entry)
        return cls(
            seconds,
            state.global_step,
            logged_losses(state),
            tuple(map(_evaluation, found)),
            state.best_global_step if best else None,
        )

    def after(self, done: int) -> TrainingLog:
        """The log without the first ``done`` steps; those that follow count from 1 on."""
        losses = tuple(entry.replace(step=entry.step - done) for entry in self.history if entry.step > done)
        evaluations = tuple(entry.replace(step=entry.step - done) for entry in self.evaluations if entry.step > done)
        best = None if self.best_step is None else self.best_step - done
        return TrainingLog(self.seconds, self.steps - done, losses, evaluations, best)

    def then(self, later: TrainingLog) -> TrainingLog:
        """One log of this training and of its continuation ``later``."""
        losses = tuple(entry.replace(step=self.steps + entry.step) for entry in later.history)
        found = tuple(entry.replace(step=self.steps + entry.step) for entry in later.evaluations)
        return TrainingLog(
            self.seconds + later.seconds,
            self.steps + later.steps,
            self.history + losses,
            self.evaluations + found,
            None if later.best_step is None else self.steps + later.best_step,
        )

    def save(self, path: Path) -> None:
        """Write JSON, whole or not at all."""
        write_json(path, self.to_dict())

    def to_dict(self) -> dict[str, object]:
        """The content of that file."""
        found: dict[str, object] = {"seconds": self.seconds, "steps": self.steps}
        found["history"] = [entry.to_dict() for entry in self.history]
        if self.evaluations:
            found["evaluations"] = [entry.to_dict() for entry in self.evaluations]
        return found if self.best_step is None else {**found, "best_step": self.best_step}

    @classmethod
    def load(cls, path: Path) -> TrainingLog:
        """Read what :meth:`save` wrote.

        Raises:
            InputError: missing, truncated or edited file.
        """
        content = read_json(path)
        try:
            history = tuple(LoggedLoss.from_dict(entry) for entry in content["history"])
            evaluations = tuple(LoggedEvaluation.from_dict(entry) for entry in content.get("evaluations", ()))
            return cls(content["seconds"], content.get("steps", 0), history, evaluations, content.get("best_step"))
        except (AttributeError, InputError, KeyError, TypeError):
            raise InputError(f"{path}: not the log of a training; edited? Remove it to go on without") from None


def logged_losses(state: TrainerState) -> tuple[LoggedLoss, ...]:
    """The training losses that a Trainer has logged so far."""
    logged = (entry for entry in state.log_history if "loss" in entry)
    return tuple(LoggedLoss(step=entry["step"], loss=float(entry["loss"])) for entry in logged)


def _evaluation(entry: dict[str, float]) -> LoggedEvaluation:
    """An entry of the Trainer's log."""
    found = {name.removeprefix(_PREFIX): float(value) for name, value in entry.items() if name.startswith(_PREFIX)}
    return LoggedEvaluation(step=int(entry["step"]), loss=found.pop("loss"), metrics=found)
