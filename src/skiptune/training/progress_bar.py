"""The progress bar of a training; in a file of its own, because it needs the Trainer's code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.progress import Progress
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from ..core.progress import bars_are_shown, make_bar


def silence(trainer: Trainer) -> None:
    """Switch off the Trainer's own printing, which :class:`TrainingBar` replaces."""
    for unwanted in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(unwanted)


class TrainingBar(TrainerCallback):
    """Shows steps, the running loss, and the text of ``note``, e.g. the blocks that are most skippable so far.

    ``steps`` are those until the bar is full; ``None``: all of the training.
    """

    def __init__(self, title: str, note: Callable[[], str] | None = None, steps: int | None = None) -> None:
        self.title, self.note, self.steps = title, note or (lambda: ""), steps
        self.bar: Progress | None = None
        self.loss = ""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.is_world_process_zero and bars_are_shown():
            self.bar = make_bar()
            self.bar.start()
            self.task = self.bar.add_task(
                self.title, total=self.steps or state.max_steps, completed=state.global_step, note=""
            )

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.bar is not None:
            self.bar.update(self.task, completed=state.global_step, note=f"{self.loss}  {self.note()}")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        if logs and "loss" in logs:
            self.loss = f"loss {float(logs['loss']):.3f}"

    def close(self) -> None:
        """Release the terminal, also after a failure."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.close()
