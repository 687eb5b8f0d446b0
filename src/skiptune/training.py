"""Training: a thin layer over transformers' Trainer that knows parameter groups and saves only what is trained."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from accelerate.data_loader import DataLoaderShard, SeedableRandomSampler
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from .checkpoints import TRAINED, examples_a_step, newest_checkpoint, save_checkpoint
from .config import TrainConfig
from .data.augment import RandAugment, vary
from .data.records import Record
from .distributed import add_up, alike, on_main, processes, rank
from .errors import InputError, RunError
from .fitting import check_fitted
from .insertion import check_plan, choose, parameter_groups
from .plan import Plan
from .tasks.base import Task
from .training_bar import TrainingBar, silence

_BETAS = (0.9, 0.98)


class RecordDataset(Dataset[Record]):
    """Records by number; the task's collator decodes them.

    Args:
        records: to train on.
        augment: changes their images, another way every epoch and the same way after a resume; ``None``: not at all.
    """

    def __init__(self, records: Sequence[Record], augment: RandAugment | None = None) -> None:
        self.records, self.augment, self.epoch = records, augment, 0

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Record:
        record = self.records[index]
        return record if self.augment is None else vary(record, self.augment, self.epoch, index)


class EpochOfDataset(TrainerCallback):
    """Tells a data set which pass begins, before its first batch is made, also in the middle of a resumed one."""

    def __init__(self, dataset: RecordDataset) -> None:
        self.dataset = dataset

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.dataset.epoch = int((state.epoch or 0) + 1e-6)  # a sum of steps that may be a hair short of whole


class SharedBatches(BatchSampler):
    """The batches that one process alone would draw, of which each process takes every n-th row.

    Args:
        sampler: of row numbers, in the same order in every process.
        batch_size: of all processes together.
    """

    def __init__(self, sampler: Sampler[int], batch_size: int) -> None:
        super().__init__(sampler, batch_size, drop_last=False)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in super().__iter__():
            # the last batch of an epoch may have fewer rows than there are processes: then some are used twice
            yield batch[rank() :: processes()] or [batch[rank() % len(batch)]]


@dataclass(frozen=True)
class Stretch:
    """Which steps of a whole training are trained.

    Attributes:
        done: steps before these.
        steps: how many these are.
        whole: how many there are in all.
        warmup_ratio: share of all of them with a rising learning rate.
    """

    done: int
    steps: int
    whole: int
    warmup_ratio: float

    def learning_rate(self, step: int) -> float:
        """Share of the peak at ``step``, counted from 0 in this stretch."""
        warmup = math.ceil(self.warmup_ratio * self.whole)
        at = self.done + step
        return at / max(1, warmup) if at < warmup else max(0.0, (self.whole - at) / max(1, self.whole - warmup))


class SkipTrainer(Trainer):
    """Trainer with learning rates by parameter group, checkpoints of the trained parameters only, and a stop at NaN.

    Several processes train as one would with all their batches put together, to rounding; so do several micro-batches.
    A job may go on with another number of processes. Beside dropout nothing here draws from the global generators,
    whose states are then left as a new job seeds them; with dropout (METER and BridgeTower have it, ViLT does not)
    other numbers of processes mean other masks.
    """

    def __init__(self, *args: Any, config: TrainConfig, stretch: Stretch, **kwargs: Any) -> None:
        self.optimizer: torch.optim.Optimizer | None
        self.lr_scheduler: LambdaLR | None
        super().__init__(*args, **kwargs)
        self.skiptune_config, self.stretch = config, stretch
        self.model_accepts_loss_kwargs = False
        self._step_rows, self._micro_batches = 0.0, 1

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> LambdaLR:
        """A linear rise and a linear fall to zero, over all of a training of which this may be a stretch only."""
        if self.lr_scheduler is None:
            self.lr_scheduler = LambdaLR(optimizer or self.create_optimizer(), self.stretch.learning_rate)
        return self.lr_scheduler

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """AdamW (0.9, 0.98); a group's learning rate is the base one times its factor."""
        if self.optimizer is None:
            groups = optimizer_groups(self.model, self.skiptune_config)
            self.optimizer = torch.optim.AdamW(groups, lr=self.args.learning_rate, betas=_BETAS)
        return self.optimizer

    def get_train_dataloader(self) -> DataLoader[Record]:
        """The Trainer's own for one process; its way of sharing out among several repeats rows in uneven batches."""
        if processes() == 1:
            alone: DataLoader[Record] = super().get_train_dataloader()
            return alone
        order = SeedableRandomSampler(self.train_dataset, data_seed=self.args.data_seed)
        shared: DataLoader[Record] = DataLoaderShard(
            self.train_dataset,
            device=self.args.device,
            batch_sampler=SharedBatches(order, self.args.per_device_train_batch_size * processes()),
            collate_fn=self.data_collator,
            num_workers=self.args.dataloader_num_workers,
            pin_memory=self.args.dataloader_pin_memory,
        )
        return shared

    def get_batch_samples(self, *args: Any) -> tuple[list[dict[str, Tensor]], Any]:
        """The micro-batches of a step; notes how many rows they have, over all processes."""
        batches: list[dict[str, Tensor]]
        batches, items = super().get_batch_samples(*args)
        self._step_rows = add_up([sum(len(batch["labels"]) for batch in batches)])[0]
        self._micro_batches = len(batches)
        return batches, items

    def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
        """One pass; none after the last step, where the Trainer, resumed there, would take another one."""
        if self.state.global_step >= self.state.max_steps:
            self.control.should_training_stop = True
        else:
            super()._run_epoch(*args, **kwargs)

    def compute_loss(self, model: nn.Module, inputs: dict[str, Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """The loss of a micro-batch, scaled so that its mean over processes and micro-batches is the mean over rows.

        Raises:
            RunError: the loss is not finite in some process; nothing is saved after that.
        """
        loss: Tensor = super().compute_loss(model, inputs, *args, **kwargs)
        count = len(inputs["labels"])
        rows, total = add_up([count, count * loss.item()])
        if not math.isfinite(total):
            error = RunError(
                f"the loss is {total / rows} at step {self.state.global_step + 1}; lower train.learning_rate "
                f"({self.args.learning_rate:g}) or its factors, or look at the data of that step"
            )
            raise alike(error)
        return loss * (count * processes() * self._micro_batches / self._step_rows)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        save_checkpoint(folder, trained_state(self.model), self.skiptune_config)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        load_trained(model or self.model, load_file(Path(resume_from_checkpoint) / TRAINED))


def optimizer_groups(model: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Trainable parameters with their learning rate and weight decay (none on biases and LayerNorms)."""
    groups = []
    for group, parameters in parameter_groups(model).items():
        rate = config.learning_rate * config.learning_rate_factors.get(group, 1.0)
        trained = [parameter for parameter in parameters.values() if parameter.requires_grad]
        for decay in (config.weight_decay, 0.0):
            chosen = [parameter for parameter in trained if (parameter.ndim > 1) == (decay > 0)]
            if chosen and (decay > 0 or config.weight_decay > 0):
                groups.append({"params": chosen, "lr": rate, "weight_decay": decay})
        if config.weight_decay == 0 and trained:
            groups.append({"params": trained, "lr": rate, "weight_decay": 0.0})
    return groups


def trained_state(model: nn.Module) -> dict[str, Tensor]:
    """Copies of the trainable parameters by name."""
    return {name: p.detach().clone().contiguous() for name, p in model.named_parameters() if p.requires_grad}


def load_trained(model: nn.Module, state: dict[str, Tensor], source: str = "trained parameters") -> None:
    """Copy ``state``, which came from ``source``, into the trainable parameters; all of it or nothing.

    Raises:
        InputError: the names and sizes are not exactly those of the model's trainable parameters, or a value is not
            finite.
    """
    load_tensors({name: p for name, p in model.named_parameters() if p.requires_grad}, state, source)


@torch.no_grad()
def load_tensors(own: dict[str, nn.Parameter], state: dict[str, Tensor], source: str) -> None:
    """As :func:`load_trained`, into the parameters ``own``."""
    if own.keys() != state.keys():
        missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
        raise InputError(f"{source}: does not fit this model: missing {missing[:3]}, unknown {unknown[:3]}")
    for name, parameter in own.items():
        if parameter.shape != state[name].shape or not bool(state[name].isfinite().all()):
            raise InputError(f"{source}: {name} is not {tuple(parameter.shape)} finite numbers")
    for name, parameter in own.items():
        parameter.copy_(state[name])


def read_trained(path: Path) -> dict[str, Tensor]:
    """Tensors by name, as :func:`trained_state` gave them.

    Raises:
        InputError: the file is missing, truncated or not a safetensors file.
    """
    try:
        state: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be read ({error}); truncated or edited? Remove it to train again") from None
    return state


def optimizer_steps(config: TrainConfig, rows: int, epochs: float, max_steps: int | None) -> int:
    """Optimizer steps of a training on ``rows`` records."""
    return max_steps or math.ceil(epochs * rows / examples_a_step(config))


def training_arguments(config: TrainConfig, folder: Path, stretch: Stretch) -> Any:
    """The Trainer's arguments for a configuration and a number of steps."""
    steps = stretch.steps
    return TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.gradient_accumulation,
        max_steps=steps,
        learning_rate=config.learning_rate,
        max_grad_norm=config.max_grad_norm,
        save_steps=config.save_steps or max(1, steps // 10),
        save_total_limit=2,
        logging_steps=max(1, steps // 50),
        logging_nan_inf_filter=False,
        dataloader_num_workers=config.workers,
        dataloader_pin_memory=torch.cuda.is_available(),
        seed=config.seed,
        data_seed=config.seed + stretch.done,  # what was seen last is not what comes first
        remove_unused_columns=False,
        label_names=["labels"],
        report_to="none",
        disable_tqdm=True,
        ddp_find_unused_parameters=True,
        use_cpu=processes() > 1 and not torch.cuda.is_available(),  # else several processes need GPUs
    )


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


@contextmanager
def preserved_random_state() -> Iterator[None]:
    """Give the global generators back as they were: the Trainer seeds them all."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


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
