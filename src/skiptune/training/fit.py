"""Train a model with the blocks of a plan skipped, going on from checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import nn
from transformers import TrainerCallback

from ..config import TrainConfig
from ..core.distributed import on_main
from ..core.errors import InputError
from ..core.seeding import preserved_random_state
from ..data.augment import RandAugment
from ..data.records import Record
from ..inserting.selection import check_plan, choose
from ..plan import Plan
from ..tasks.task import Task
from .checkpoints import newest_checkpoint
from .dataset import EpochOfDataset, RecordDataset
from .progress_bar import TrainingBar, silence
from .schedule import Stretch, optimizer_steps
from .skip_adapter_init import check_fitted
from .trainer import SkipTrainer, training_arguments


def train_loop(
    model: nn.Module,
    task: Task,
    records: Sequence[Record],
    config: TrainConfig,
    folder: Path,
    title: str,
    steps: int,
    done: int = 0,
    of: int | None = None,
    callbacks: Sequence[TrainerCallback] = (),
    note: Callable[[], str] | None = None,
) -> dict[str, Any]:
    """Train the trainable parameters of ``model`` in place, going on from the newest checkpoint in ``folder``.

    The learning rate is that of the ``steps`` steps after the first ``done`` ones of a training of ``of`` steps.

    Returns:
        ``seconds`` of this call, ``steps``, and the ``history`` of logged losses.
    """
    if not records:
        raise InputError("there are no training records")
    check_fitted(model)
    stretch = Stretch(done, steps, done + steps if of is None else of, config.warmup_ratio)
    with preserved_random_state():
        return _train(model, task, records, config, folder, TrainingBar(title, note), stretch, callbacks)


def _train(
    model: nn.Module,
    task: Task,
    records: Sequence[Record],
    config: TrainConfig,
    folder: Path,
    bar: TrainingBar,
    stretch: Stretch,
    callbacks: Sequence[TrainerCallback],
) -> dict[str, Any]:
    started = time.perf_counter()
    augment = RandAugment(**config.augment, seed=config.seed) if config.augment else None
    dataset = RecordDataset(records, augment)
    trainer = SkipTrainer(
        model,
        training_arguments(config, folder, stretch),
        data_collator=task.collate,
        train_dataset=dataset,
        callbacks=[bar, EpochOfDataset(dataset), *callbacks],
        config=config,
        stretch=stretch,
    )
    silence(trainer)
    try:
        trainer.train(resume_from_checkpoint=on_main(lambda: newest_checkpoint(folder, config)))
    finally:
        bar.close()
    history = [
        {"step": entry["step"], "loss": float(entry["loss"])} for entry in trainer.state.log_history if "loss" in entry
    ]
    return {"seconds": time.perf_counter() - started, "steps": trainer.state.global_step, "history": history}


def fit(
    model: nn.Module,
    task: Task,
    train: Sequence[Record],
    config: TrainConfig | None = None,
    plan: Plan | None = None,
    folder: str | Path | None = None,
    done: int = 0,
) -> dict[str, Any]:
    """Train adapters, head and small parts with the plan's blocks skipped. In place.

    Args:
        model: a model with adapters inserted (or all of it unfrozen, for full tuning).
        task: what to learn.
        train: training records.
        config: optimisation.
        plan: blocks to skip; ``None`` keeps them all.
        folder: for checkpoints; call again with the same folder to go on after an interruption.
        done: steps of the training that ``model`` has behind it: ``plan.steps`` to go on from the search.

    Returns:
        ``seconds``, ``steps`` and ``history``.

    Raises:
        InputError: the plan is for another model, there are no records, or no steps left.
        RunError: the loss is not finite.
    """
    config = config or TrainConfig()
    if plan is not None:
        check_plan(model, plan)
    choose(model, plan.skipped if plan else ())
    whole = optimizer_steps(config, len(train), config.epochs, config.max_steps)
    if done >= whole > 0:
        raise InputError(f"the search took {done} steps and the training has {whole} in all; raise train.epochs")
    with TemporaryDirectory() as scratch:
        where = Path(folder) if folder is not None else Path(scratch)
        return train_loop(model, task, train, config, where, "training", whole - done, done)
