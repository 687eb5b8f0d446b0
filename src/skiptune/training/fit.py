"""Train a model with the blocks of a plan skipped; resumes from checkpoints."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import nn
from transformers import TrainerCallback

from ..config import TrainConfig
from ..core.arguments import expect
from ..core.distributed import on_main, processes
from ..core.errors import InputError
from ..core.progress import say_once
from ..core.seeding import preserved_random_state
from ..data.augment import RandAugment
from ..experiment import Experiment
from ..inserting.selection import check_plan, choose
from ..plan import Plan
from ..tasks.replacing import DAMAGED_LOG, replacing_damaged
from .callback_states import check_callbacks
from .checkpoints import began_with_search, newest_checkpoint, processes_of
from .dataset import EpochOfDataset, RecordDataset, without_worker
from .machine import check_machine, tell_machine
from .nested_training import NestedTraining
from .progress_bar import TrainingBar, silence
from .reports import keep_reports
from .schedule import Stretch, optimizer_steps
from .skip_adapter_init import check_fitted
from .trainer import SkipTrainer
from .trainer_arguments import training_arguments
from .training_log import TrainingLog
from .validation import Validation, validation_callbacks


def train_loop(
    model: nn.Module,
    experiment: Experiment,
    stretch: Stretch,
    folder: Path,
    bar: TrainingBar,
    callbacks: Sequence[TrainerCallback] = (),
    subnetwork: str = "",
) -> TrainingLog:
    """Train the trainable parameters of ``model`` in place, from the newest checkpoint in ``folder`` on.

    Args:
        model: with its adapters, or all of it unfrozen.
        experiment: the task, its training records and the optimisation settings.
        stretch: which steps of the whole training these are.
        folder: for checkpoints.
        bar: shows the progress.
        callbacks: further ones of the Trainer, as that of the search.
        subnetwork: what is trained, in words; empty: it changes from step to step.

    Raises:
        InputError: no records, skip adapters that should have been fitted and were not, or checkpoints of another
            subnetwork in ``folder``.
        RunError: the loss is not finite.
    """
    if not experiment.train:
        raise InputError("there are no training records")
    check_machine(experiment.training)
    check_fitted(model)
    started = time.perf_counter()
    with preserved_random_state():
        trainer = make_trainer(model, experiment, stretch, folder, [bar, *callbacks], subnetwork)
        tell_machine(trainer.args)
        try:
            checkpoint = on_main(lambda: newest_checkpoint(folder, experiment.training, subnetwork))
            _tell_of_other_masks(model, checkpoint)
            trainer.train(resume_from_checkpoint=checkpoint)
        except InputError as error:
            raise without_worker(error) from None
        finally:
            bar.close()
    return TrainingLog.of(time.perf_counter() - started, trainer.state, trainer.args.load_best_model_at_end)


def make_trainer(
    model: nn.Module,
    experiment: Experiment,
    stretch: Stretch,
    folder: Path,
    callbacks: Sequence[TrainerCallback] = (),
    subnetwork: str = "",
) -> SkipTrainer:
    """The Trainer of :func:`train_loop`, whose arguments these are. It seeds the global generators."""
    config, task = experiment.training, experiment.task
    task.cut_texts_for(model)
    augment = RandAugment.of(dict[str, float](config.augment.items()), config.seed) if config.augment else None
    dataset = RecordDataset(experiment.train, augment)
    validation = Validation.of(experiment, stretch)
    trainer = SkipTrainer(
        model,
        training_arguments(config, folder, stretch, validation.metric if validation else None),
        data_collator=task.collate,
        train_dataset=dataset,
        eval_dataset=experiment.valid,
        callbacks=[EpochOfDataset(dataset), *validation_callbacks(validation), *callbacks],
        config=config,
        stretch=stretch,
        validation=validation,
        subnetwork=subnetwork,
    )
    silence(trainer)
    keep_reports(trainer, folder)
    return trainer


def _tell_of_other_masks(model: nn.Module, checkpoint: str | None) -> None:
    """Say that dropout will not be what it would have been, where another number of processes goes on."""
    draws = any(isinstance(module, nn.Dropout) and module.p > 0 for module in model.modules())
    if checkpoint is not None and draws and (before := processes_of(checkpoint)) != processes():
        say_once(
            f"{checkpoint}: written by {before} processes, and {processes()} go on: dropout draws other masks, so the "
            "result is not that of an uninterrupted run to the last digit"
        )


def fit(
    model: nn.Module,
    experiment: Experiment,
    plan: Plan | None = None,
    folder: str | Path | None = None,
    done: int = 0,
    callbacks: Sequence[TrainerCallback] = (),
) -> TrainingLog:
    """Train adapters, head and small parts with the plan's blocks skipped, or with all beginnings of a nested plan. In
    place.

    Args:
        model: a model with adapters inserted (or all of it unfrozen, for full tuning).
        experiment: the task, its training records and the optimisation settings; with ``eval_steps``, its validation
            records, too. Other fields are not used.
        plan: blocks to skip; ``None`` keeps them all.
        folder: for checkpoints; call again with the same folder and plan to go on after an interruption.
        done: steps of the training that ``model`` has taken already: ``plan.steps`` to continue after the search. With
            the ``folder`` of the search, the two are one training; otherwise the optimizer starts anew, and the data
            have another order.
        callbacks: of transformers' Trainer. Those with a state (``ExportableState``) have it in the checkpoints.

    Raises:
        InputError: a setting cannot work on this machine, the plan is for another model, there are no records, no steps
            left, too many images cannot be read, or ``folder`` has checkpoints of another plan, or of a search while
            ``done`` is 0.
        RunError: the loss is not finite.
    """
    expect("fit", model=(model, nn.Module), experiment=(experiment, Experiment))
    check_callbacks(callbacks, experiment.training)
    config = experiment.training
    if plan is not None:
        check_plan(model, plan)
    choose(model, plan or ())
    if plan is not None and plan.nested is not None:
        callbacks = [*callbacks, NestedTraining(model, plan, config.seed)]
    whole = optimizer_steps(config, len(experiment.train), config.epochs, config.max_steps)
    if done >= whole > 0:
        raise InputError(f"the search took {done} steps and the training has {whole} in all; raise train.epochs")
    with TemporaryDirectory() as scratch:
        where = Path(folder) if folder is not None else Path(scratch)
        one = on_main(lambda: _is_of_one_training(where, config))
        if one and done == 0:
            raise InputError(
                f"{where}: its checkpoints are of a training that began with a search; give done=plan.steps to go on "
                f"with it, or another folder"
            )
        ratio = config.warmup_ratio
        stretch = Stretch(0, whole, whole, ratio, done) if one else Stretch(done, whole - done, whole, ratio)
        with replacing_damaged(experiment.task, experiment.train, log=where / DAMAGED_LOG) as (task, _):
            experiment, bar = replace(experiment, task=task), TrainingBar("training")
            log = train_loop(model, experiment, stretch, where, bar, callbacks, _subnetwork(plan))
    return log.after(done) if one else log


def _is_of_one_training(folder: Path, config: TrainConfig) -> bool:
    """Whether the checkpoint in ``folder`` is one of search and training together."""
    checkpoint = newest_checkpoint(folder, config)
    return checkpoint is not None and began_with_search(checkpoint)


def _subnetwork(plan: Plan | None) -> str:
    """What a plan trains, in words that no other plan has."""
    if plan is None:
        return "skipped: nothing"
    order = plan.skipped if plan.nested is None else plan.nested.order
    skipped = f"skipped: {', '.join(order) or 'nothing'}{'' if plan.nested is None else ', one after the other'}"
    return skipped if plan.tokens is None else f"{skipped}; tokens: {json.dumps(plan.tokens.to_dict())}"
