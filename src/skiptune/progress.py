"""Progress bars for long work, silent where nobody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from functools import cache
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from .distributed import rank

console = Console(stderr=True, quiet=rank() > 0)
T = TypeVar("T")


@cache
def say_once(text: str) -> None:
    """Print a line, the first time that it is said."""
    console.print(text)


def make_bar() -> Progress:
    """A bar with title, count, times and a free text."""
    return Progress(
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        transient=False,
    )


def track(items: Iterable[T], title: str) -> Iterator[T]:
    """Yield ``items`` under a progress bar."""
    total = len(items) if isinstance(items, Sized) else None
    with make_bar() as bar:
        task = bar.add_task(title, total=total, note="")
        for item in items:
            yield item
            bar.advance(task)


def silence(trainer: Trainer) -> None:
    """Take away what the Trainer prints by itself; :class:`TrainingBar` says it better."""
    for unwanted in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(unwanted)


class TrainingBar(TrainerCallback):
    """Shows steps, the running loss, and what ``note`` has to say, e.g. the blocks that look most skippable."""

    def __init__(self, title: str, note: Callable[[], str] | None = None) -> None:
        self.title, self.note = title, note or (lambda: "")
        self.bar: Progress | None = None
        self.loss = ""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.is_world_process_zero:
            self.bar = make_bar()
            self.bar.start()
            self.task = self.bar.add_task(self.title, total=state.max_steps, completed=state.global_step, note="")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.bar is not None:
            self.bar.update(self.task, completed=state.global_step, note=f"{self.loss}  {self.note()}")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if logs and "loss" in logs:
            self.loss = f"loss {float(logs['loss']):.3f}"

    def close(self) -> None:
        """Give the terminal back; also after a failure."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.close()
