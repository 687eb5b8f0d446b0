"""The search as a callback of any Trainer: it searches in the first steps of a training, fixes the plan, and the
training goes on with it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from ..config import Budget, SearchConfig
from ..core.arguments import expect
from ..core.distributed import on_main
from ..core.errors import InputError
from ..costs.example_inputs import Inputs
from ..inserting.selection import blocks_of, choose
from ..plan import Plan, Round
from ..training.nested_training import NestedTraining
from ..training.training_log import logged_losses
from .budget import subnetworks_of
from .calling_trainer import calling_trainer
from .evaluator import Evaluator
from .found_plan import begun_report, found_plan
from .held_out import HeldOut
from .mixtures import Mixtures, Subnetworks
from .nested import nested_order, with_losses
from .protected import protected_blocks
from .saved_search import SavedSearch
from .search_schedule import Schedule, held_out_batch, schedule
from .strategies import Strategy, make_strategy
from .trainer_refusals import refuse_trainer
from .training_length import TrainingLength


class SkipSearch(TrainerCallback, ExportableState):
    """Finds the blocks that a task can do without, in the first steps of a training by any Trainer (paper,
    section 3.3).

    Give it to a ``transformers.Trainer``, or a subclass as TRL's ``SFTTrainer``, whose model has adapters inserted.
    One ``trainer.train()`` trains the adapters on drawn subnetworks, compares some of them on held-out examples, fixes
    the :attr:`plan`, and goes on with it. Data, collator, ``compute_loss``, optimizer and arguments are the Trainer's;
    losses of subnetworks come from its ``prediction_step``, in evaluation mode. Then ``skiptune.export`` writes the
    slim model.

    Its whole state is in ``trainer_state.json``: a resumed training ends with the same plan, also with another number
    of processes. Several processes draw the same subnetworks, share the candidates of a round and have the same plan.

    Until the plan is fixed, an evaluation by the Trainer measures the plan as it would be now (nothing skipped, before
    the first comparison); the best checkpoint and early stopping begin with the plan.

    Every ``trainer.train()`` that does not resume searches anew.

    Departures from the paper: the search is the first part of the training, which goes on with what the adapters have
    learnt; a new subnetwork is drawn for every optimizer step, unless ``search.draw`` says ``micro_batch``.

    Args:
        budget: how much to skip.
        held_out: what subnetworks are compared on: a dataset with rows by number, or the name of one of the Trainer's
            evaluation datasets; ``None``: its only one. Nothing else should be trained or measured on it.
        search: settings of the search.
        seed: of drawn subnetworks and the order of held-out examples; ``None``: that of the Trainer's arguments.
        inputs: the model's inputs that the budget counts operations or time for, one example; ``None``: the largest of
            the first 32 held-out ones.
        stop: end the training, with a checkpoint, as soon as the plan is fixed.

    Attributes:
        plan: the plan with the report of the search; ``None`` until it is fixed.

    Raises:
        InputError: an argument of another type. When the training begins: the model has no adapters, the budget cannot
            be met, the search is not shorter than the training, or held-out examples are missing.
        RunError: a loss is not finite.
    """

    #: Our own Trainer leaves it to :meth:`on_train_begin`.
    restores_itself = True

    def __init__(
        self,
        budget: Budget,
        held_out: Any = None,
        search: SearchConfig | None = None,
        *,
        seed: int | None = None,
        inputs: Mapping[str, Tensor] | None = None,
        stop: bool = False,
    ) -> None:
        expect("SkipSearch", budget=(budget, Budget), search=(search, (SearchConfig, type(None))))
        self.budget, self.held_out, self.search = budget, held_out, search or SearchConfig()
        self.seed, self.inputs, self.stop = seed, inputs, stop
        self.plan: Plan | None = None
        self.rounds: list[Round] = []
        self.draws, self.micro_batches = 0, 1
        self.strategy: Strategy
        self.evaluator: Evaluator
        self.times: Schedule
        self._begun = False
        self._started, self._seconds = 0.0, 0.0

    def note(self) -> str:
        """The blocks that are skipped, or would be if the search ended now, for a progress bar."""
        if self.plan is not None:
            return f"skip {' '.join(self.plan.skipped)}"
        return f"skip {' '.join(self.evaluator.named(self.strategy.best()))}" if self.rounds else "warm-up"

    def state(self) -> dict[str, Any]:
        """The state that a resume needs, as JSON values; nothing before the training begins."""
        saved = {} if not self._begun else self._saved().to_dict()
        return {"args": {}, "attributes": saved}

    def _saved(self) -> SavedSearch:
        found = self.strategy.subnetworks
        return SavedSearch(
            budget=self.budget,
            search=self.search,
            savings=() if isinstance(found, Mixtures) else found.savings,
            target=0.0 if isinstance(found, Mixtures) else found.target,
            tokens=found.costs if isinstance(found, Mixtures) else None,
            strategy=self.strategy.state(),
            comparisons=self.evaluator.comparisons,
            rounds=tuple(self.rounds),
            draws=self.draws,
            batch_size=self.evaluator.batch_size,
            micro_batches=self.micro_batches,
            seconds=self._spent(),
            plan=None if self.plan is None else self.plan.to_dict(),
        )

    def on_init_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if args.restore_callback_states_from_checkpoint:
            raise InputError(
                "restore_callback_states_from_checkpoint=True: SkipSearch restores itself, and the Trainer would "
                "make it anew without its budget; leave it off"
            )

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        trainer = calling_trainer()
        refuse_trainer(trainer, type(self), goes_on=not self.stop)
        saved = SavedSearch.of(state, type(self).__name__, self.budget, self.search)
        self._begin(trainer, state, kwargs.get("train_dataloader"), saved)
        if saved is not None:
            self._restore(saved)
        elif not self.strategy.searches:
            self._fix(state)
        if self.plan is not None:
            choose(self.evaluator.model, self.plan)
            control.should_training_stop = self.stop

    def _begin(self, trainer: Trainer, state: TrainerState, train_dataloader: Any, saved: SavedSearch | None) -> None:
        """Make strategy, evaluator and schedule."""
        seed = trainer.args.seed if self.seed is None else self.seed
        self.plan, self.rounds, self.draws = None, [], 0
        self.micro_batches = trainer.args.gradient_accumulation_steps
        self._started, self._seconds = time.perf_counter(), 0.0
        held_out = HeldOut(trainer, self.held_out, seed)
        self.strategy = self._make_strategy(held_out, seed, saved)
        length = self._length(trainer.args, state, train_dataloader)
        batch_size = held_out_batch(self.search, length) if saved is None else saved.batch_size
        self.evaluator = Evaluator(held_out, batch_size, self.strategy.schedules)
        self.times = schedule(self.search, length, self.evaluator.batch_size)
        self._begun = True
        if self.strategy.trains:
            self.evaluator.refuse_unlabelled()
        if self.strategy.trains and not self.stop:
            self.times.check_part_of(state.max_steps)

    def _length(self, args: TrainingArguments, state: TrainerState, train_dataloader: Any) -> TrainingLength:
        """The length of the training of which the search is a part."""
        return TrainingLength.of_trainer(args, state, train_dataloader)

    def _make_strategy(self, held_out: HeldOut, seed: int, saved: SavedSearch | None) -> Strategy:
        """The strategy for the budget; a resumed search has what was counted or timed when it began."""
        model = held_out.model
        protected = protected_blocks(model, self.search)

        def counted() -> Subnetworks:
            return subnetworks_of(model, self.budget, partial(self._inputs, held_out), self.search, protected)

        found = on_main(counted) if saved is None else saved.subnetworks(protected)
        return make_strategy(found, self.search, seed, tuple(blocks_of(model)))

    def _inputs(self, held_out: HeldOut) -> Inputs:
        """Those that costs are stated for."""
        return self.inputs or held_out.typical()

    def _restore(self, saved: SavedSearch) -> None:
        self.strategy.restore(saved.strategy)
        self.evaluator.comparisons, self.rounds = saved.comparisons, list(saved.rounds)
        self.draws, self._seconds, self.plan = saved.draws, saved.seconds, saved.fixed
        saved.check_micro_batches(self.micro_batches)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._draw()
        if self._nested is not None:
            self._nested.on_step_begin(args, state, control)

    def on_substep_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.plan is None and self.search.draw == "micro_batch":
            self._after_draw(state)
            self._draw()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.plan is not None:
            if self._nested is not None:
                self._nested.on_step_end(args, state, control)
            control.should_training_stop |= self.stop
            return
        self._after_draw(state)
        if state.global_step >= self.times.steps:
            self._fix(state)
            # the last loss of the search by itself, so that a training that goes on logs the same losses
            control.should_log = True
            if self.stop:
                control.should_save = control.should_training_stop = True
        self._before_evaluation(state, control)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._before_evaluation(state, control)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        plan = self.plan
        if plan is not None and plan.report is not None and state.global_step == plan.steps and "loss" in (logs or {}):
            self.plan = replace(plan, report=plan.report.replace(history=logged_losses(state)))

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.plan is None:  # another callback has stopped the training
            self._fix(state)
        if self.plan is not None and not self.stop:
            self.plan = with_losses(self.evaluator, self.plan)

    def _draw(self) -> None:
        if self.plan is not None:
            return
        sets = None
        if self.search.growing:  # the whole budget from the middle of the warm-up on
            sets = self.strategy.feasible.growing(2 * (self.draws + 1), self.times.warmup)
        self.evaluator.choose(self.strategy.draw(self.draws, sets))

    def _after_draw(self, state: TrainerState) -> None:
        self.draws += 1
        due = self.draws > self.times.warmup and self.draws % self.times.interval == 0
        if self.strategy.compares_while_training and due:
            self.rounds.append(self.strategy.compare(self.evaluator, self.draws).replace(step=state.global_step))

    def _before_evaluation(self, state: TrainerState, control: TrainerControl) -> None:
        """Until the plan is fixed, measure it as it would be now, and let no evaluation be worse than one before: early
        stopping counts those."""
        if self.plan is None and control.should_evaluate:
            self.evaluator.choose(self.strategy.best())
            state.best_metric = None

    def _fix(self, state: TrainerState) -> None:
        """Decide, and skip the plan's blocks from now on."""
        strategy, model = self.strategy, self.evaluator.model
        report = begun_report(strategy, self.budget, self.search, protected_blocks(model, self.search))
        if strategy.searches:
            self.rounds += strategy.decide(self.evaluator, self.times.rounds)
            report = report.replace(
                seconds=self._spent(),
                steps=state.global_step,
                training_steps=self.times.whole,
                comparisons=self.evaluator.comparisons,
                rounds=tuple(self.rounds),
                history=logged_losses(state),
                certainty=strategy.certainty(),
            )
        if self.search.nested:
            report = report.replace(nested=nested_order(self.evaluator, strategy.best(), self.search.batches))
        inputs = partial(self._inputs, self.evaluator.held_out)
        self.plan = found_plan(model, strategy, report, inputs)
        choose(model, self.plan)
        # what was best before was another subnetwork
        state.best_metric = state.best_global_step = state.best_model_checkpoint = None

    @property
    def _nested(self) -> NestedTraining | None:
        """What draws after the search, if the plan is nested."""
        if self.plan is None or self.plan.nested is None:
            return None
        return NestedTraining(self.evaluator.model, self.plan, self.strategy.seed)

    def _spent(self) -> float:
        """Wall time of the training so far, over all its resumes."""
        return self._seconds + time.perf_counter() - self._started
