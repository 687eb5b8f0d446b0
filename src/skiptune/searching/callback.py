"""The search as a Trainer callback: draws the subnetwork that trains, and updates the policy every few steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from ..config import SearchConfig
from ..data.records import Record
from ..distributed import alike, share_out
from ..errors import InputError, RunError
from ..insertion import choose
from .policy import Candidate, Policy
from .reward import Standardized, exp_loss


class SearchCallback(TrainerCallback, ExportableState):
    """Steps 1 and 2 of the search (METHOD: policy gradient on a k-armed bandit).

    Its whole state travels in ``trainer_state.json``; on resume it is taken from there, also by another number of
    processes. Departures from the released code: rewards are measured in eval mode, on held-out batches that rotate and
    are shared by the candidates of a round, with private generators; a subnetwork is drawn an optimizer step rather
    than a micro-batch unless ``SearchConfig.draw`` says otherwise; several processes draw the same, share out the
    candidates and hold the same preferences.

    Args:
        model: the model that is trained.
        names: names of its skippable blocks.
        policy: what is searched with.
        config: search settings.
        heldout: records that rewards are measured on, never trained on.
        collate: records to a batch.
        warmup_steps: draws before the first update may happen.
        batch_size: of a held-out batch.
        seed: of the order of held-out batches.
    """

    def __init__(
        self,
        model: nn.Module,
        names: Sequence[str],
        policy: Policy,
        config: SearchConfig,
        heldout: Sequence[Record],
        collate: Callable[[Sequence[Record]], dict[str, Tensor]],
        warmup_steps: int,
        batch_size: int,
        seed: int,
    ) -> None:
        self.model, self.names, self.policy, self.config = model, tuple(names), policy, config
        self.heldout, self.collate, self.warmup_steps = heldout, collate, warmup_steps
        self.batch_size, self.seed = min(batch_size, len(heldout)), seed
        self.reward = Standardized()
        self.draws, self.micro_batches = 0, 1
        self.rounds: list[dict[str, Any]] = []

    def note(self) -> str:
        """The blocks that would be skipped if the search ended now, for the progress bar."""
        return f"skip {' '.join(self.names[block] for block in self.policy.best())}" if self.rounds else "warm-up"

    def state(self) -> dict[str, Any]:
        """What a resume needs, as plain JSON values."""
        attributes = {
            "preferences": self.policy.preferences.tolist(),
            "spread": self.reward.spread,
            "draws": self.draws,
            "rounds": self.rounds,
            "batch_size": self.batch_size,
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
            self.policy.preferences = torch.tensor(attributes["preferences"], dtype=torch.float32)
            self.reward.spread = attributes["spread"]
            self.draws, self.rounds = attributes["draws"], list(attributes["rounds"])
            self.batch_size = attributes["batch_size"]
            self._refuse_other_draws(attributes["micro_batches"])

    def _refuse_other_draws(self, before: int) -> None:
        if self.config.draw == "micro_batch" and before != self.micro_batches:
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
        if self.config.draw == "micro_batch":
            self._after_draw(state)
            self._draw()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._after_draw(state)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        choose(self.model, ())

    def _draw(self) -> None:
        self._choose(self.policy.draw(self.draws))

    def _after_draw(self, state: TrainerState) -> None:
        self.draws += 1
        if self.draws > self.warmup_steps and self.draws % self.config.interval == 0:
            self._round(state.global_step)

    def _choose(self, candidate: Candidate) -> None:
        choose(self.model, [self.names[block] for block in candidate])

    def _round(self, step: int) -> None:
        """Compare a few subnetworks on one held-out batch and move the preferences."""
        candidates = self.policy.draw_distinct(self.config.candidates, self.draws)
        losses = self._losses(candidates)
        rewards = exp_loss(losses) if self.config.reward == "exp_loss" else self.reward(losses)
        self.policy.update(candidates, rewards)
        self.rounds.append(
            {
                "step": step,
                "candidates": [list(candidate) for candidate in candidates],
                "losses": losses,
                "rewards": rewards,
                "preferences": self.policy.preferences.tolist(),
            }
        )

    @torch.no_grad()
    def _losses(self, candidates: list[Candidate]) -> list[float]:
        batch = self.collate([self.heldout[k] for k in self._batch_rows(len(self.rounds))])
        batch = {name: value.to(self.model.device) for name, value in batch.items()}  # type: ignore[arg-type]
        training = self.model.training
        self.model.eval()

        def loss_of(candidate: Candidate) -> float:
            self._choose(candidate)
            return float(self.model(**batch).loss)

        losses = share_out(candidates, loss_of)
        self.model.train(training)
        if not np.isfinite(losses).all():
            raise alike(RunError(f"a validation loss is not finite ({losses}); lower train.learning_rate"))
        return losses

    def _batch_rows(self, number: int) -> list[int]:
        """Rows of held-out batch ``number``: passes over a permutation that changes every pass."""
        batches = max(1, len(self.heldout) // self.batch_size)
        order = np.random.default_rng((self.seed, number // batches)).permutation(len(self.heldout))
        start = number % batches * self.batch_size
        return [int(row) for row in order[start : start + self.batch_size]]
