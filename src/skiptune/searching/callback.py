"""The search as a Trainer callback: chooses the subnetwork that trains, and lets the strategy look every few steps."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from ..config import Draw
from ..core.distributed import alike
from ..core.errors import InputError
from ..inserting.selection import choose
from .evaluator import Trial
from .strategies.strategy import Strategy


class SearchCallback(TrainerCallback, ExportableState):
    """Steps 1 and 2 of the search (METHOD: policy gradient on a k-armed bandit), whatever the strategy.

    Its whole state travels in ``trainer_state.json``; on resume it is taken from there, also by
    another number of processes. A subnetwork is drawn an
    optimizer step, a departure from the released code, unless ``draw`` says ``micro_batch``. Several processes draw
    the same, share out the candidates of a round and hold the same preferences.

    Args:
        strategy: what is searched with.
        trial: what it may look at.
        warmup: draws before the first look.
        interval: draws between looks.
        draw: when a new subnetwork is drawn.
    """

    def __init__(self, strategy: Strategy, trial: Trial, warmup: int, interval: int, draw: Draw) -> None:
        self.strategy, self.trial = strategy, trial
        self.warmup, self.interval, self.draw = warmup, interval, draw
        self.draws, self.micro_batches = 0, 1
        self.rounds: list[dict[str, Any]] = []

    def note(self) -> str:
        """The blocks that would be skipped if the search ended now, for the progress bar."""
        return f"skip {' '.join(self.trial.named(self.strategy.best()))}" if self.rounds else "warm-up"

    def state(self) -> dict[str, Any]:
        """What a resume needs, as plain JSON values."""
        attributes = {
            "strategy": self.strategy.state(),
            "account": self.trial.account(),
            "draws": self.draws,
            "rounds": self.rounds,
            "batch_size": self.trial.batch_size,
            "micro_batches": self.micro_batches,
        }
        return {"args": {}, "attributes": attributes}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.micro_batches = args.gradient_accumulation_steps
        saved = state.stateful_callbacks.get(type(self).__name__)
        if state.global_step and isinstance(saved, dict) and "attributes" in saved:
            attributes = saved["attributes"]
            self.strategy.restore(attributes["strategy"])
            self.trial.restore(attributes["account"])
            self.draws, self.rounds = attributes["draws"], list(attributes["rounds"])
            self.trial.batch_size = attributes["batch_size"]
            self._refuse_other_draws(attributes["micro_batches"])

    def _refuse_other_draws(self, before: int) -> None:
        if self.draw == "micro_batch" and before != self.micro_batches:
            raise alike(
                InputError(
                    f"train.gradient_accumulation: {self.micro_batches}, but this search began with {before} "
                    "micro-batches a step, each of which draws a subnetwork (search.draw); set it to that again"
                )
            )

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._draw()

    def on_substep_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.draw == "micro_batch":
            self._after_draw(state)
            self._draw()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._after_draw(state)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        choose(self.trial.model, ())

    def _draw(self) -> None:
        self.trial.choose(self.strategy.draw(self.draws))

    def _after_draw(self, state: TrainerState) -> None:
        self.draws += 1
        due = self.draws > self.warmup and self.draws % self.interval == 0
        if self.strategy.looks and due:
            noted = self.strategy.look(self.trial, self.draws)
            self.rounds.append({"step": state.global_step, **noted, "preferences": list(self.strategy.preferences)})
