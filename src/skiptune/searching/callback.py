"""The search as a Trainer callback: it chooses the subnetwork that trains, and calls for rounds of comparisons."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from ..config import Draw
from ..core.distributed import alike
from ..core.errors import InputError
from ..inserting.selection import choose
from ..plan import Comparisons, Round
from .evaluator import Evaluator
from .strategies.strategy import Strategy


class SearchCallback(TrainerCallback, ExportableState):
    """Steps 1 and 2 of the search (METHOD: policy gradient on a k-armed bandit), whatever the strategy.

    Its whole state is saved in ``trainer_state.json`` and restored on resume, also with another number of processes. A
    new subnetwork is drawn for every optimizer step, a departure from the released code, unless ``draw`` says
    ``micro_batch``. Several processes draw the same subnetworks, share the candidates of a round and have the same
    preferences.

    Args:
        strategy: the search strategy.
        evaluator: compares subnetworks for it.
        warmup: draws before the first round of comparisons.
        interval: draws between rounds.
        draw: when a new subnetwork is drawn.
    """

    restores_itself = True

    def __init__(self, strategy: Strategy, evaluator: Evaluator, warmup: int, interval: int, draw: Draw) -> None:
        self.strategy, self.evaluator = strategy, evaluator
        self.warmup, self.interval, self.draw = warmup, interval, draw
        self.draws, self.micro_batches = 0, 1
        self.rounds: list[Round] = []

    def note(self) -> str:
        """The blocks that would be skipped if the search ended now, for the progress bar."""
        return f"skip {' '.join(self.evaluator.named(self.strategy.best()))}" if self.rounds else "warm-up"

    def state(self) -> dict[str, Any]:
        """The state that a resume needs, as JSON values."""
        attributes = {
            "strategy": self.strategy.state(),
            "account": self.evaluator.comparisons.to_dict(),
            "draws": self.draws,
            "rounds": [entry.to_dict() for entry in self.rounds],
            "batch_size": self.evaluator.batch_size,
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
            self.evaluator.comparisons = Comparisons.from_dict(attributes["account"])
            self.draws = attributes["draws"]
            self.rounds = [Round.from_dict(entry) for entry in attributes["rounds"]]
            self.evaluator.batch_size = attributes["batch_size"]
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
        choose(self.evaluator.model, ())

    def _draw(self) -> None:
        self.evaluator.choose(self.strategy.draw(self.draws))

    def _after_draw(self, state: TrainerState) -> None:
        self.draws += 1
        due = self.draws > self.warmup and self.draws % self.interval == 0
        if self.strategy.compares_while_training and due:
            self.rounds.append(self.strategy.compare(self.evaluator, self.draws).replace(step=state.global_step))
