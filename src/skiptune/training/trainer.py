"""Training: a thin layer over transformers' Trainer with learning rates by parameter group, which saves only trained
parameters."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from accelerate.data_loader import DataLoaderShard, SeedableRandomSampler
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from transformers import Trainer, TrainingArguments

from ..config import TrainConfig
from ..core.distributed import add_up, alike, processes
from ..core.errors import RunError
from ..data.record import Record
from .checkpoints import TRAINED, save_checkpoint, whole_checkpoint
from .dataset import SharedBatches, SharedCollator, counted_rows, model_inputs
from .optimizer import adamw
from .schedule import Stretch
from .trained_state import load_trained, trained_state


class SkipTrainer(Trainer):
    """Trainer with learning rates by parameter group, checkpoints of the trained parameters only, and a stop at NaN.

    Several processes train like one process with all their batches together, to rounding; so do several micro-batches.
    A job may resume with another number of processes. Only dropout draws from the global generators, whose states are
    then those of a new job: with dropout (METER and BridgeTower have it, ViLT does not), another number of processes
    has other masks.
    """

    def __init__(self, *args: Any, config: TrainConfig, stretch: Stretch, **kwargs: Any) -> None:
        self.optimizer: torch.optim.Optimizer | None
        self.lr_scheduler: LambdaLR | None
        super().__init__(*args, **kwargs)
        self.skiptune_config, self.stretch = config, stretch
        self.model_accepts_loss_kwargs = False
        self._step_rows, self._micro_batches = 0.0, 1

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> LambdaLR:
        """A linear rise and a linear fall to zero over the whole training, of which this may be a part."""
        if self.lr_scheduler is None:
            self.lr_scheduler = LambdaLR(optimizer or self.create_optimizer(), self.stretch.learning_rate)
        return self.lr_scheduler

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """AdamW, see :mod:`skiptune.training.optimizer`."""
        if self.optimizer is None:
            self.optimizer = adamw(self.model, self.skiptune_config)
        return self.optimizer

    def get_train_dataloader(self) -> DataLoader[Record]:
        """The Trainer's own for one process. With several, the Trainer would repeat rows in uneven batches."""
        if processes() == 1:
            alone: DataLoader[Record] = super().get_train_dataloader()
            return alone
        order = SeedableRandomSampler(self.train_dataset, data_seed=self.args.data_seed)
        shared: DataLoader[Record] = DataLoaderShard(
            self.train_dataset,
            device=self.args.device,
            batch_sampler=SharedBatches(order, self.args.per_device_train_batch_size * processes()),
            collate_fn=SharedCollator(self.data_collator, self.train_dataset),
            num_workers=self.args.dataloader_num_workers,
            pin_memory=self.args.dataloader_pin_memory,
        )
        return shared

    def get_batch_samples(self, *args: Any) -> tuple[list[dict[str, Tensor]], Any]:
        """The micro-batches of a step; notes how many rows they have, over all processes."""
        batches: list[dict[str, Tensor]]
        batches, items = super().get_batch_samples(*args)
        self._step_rows = add_up([sum(map(counted_rows, batches))])[0]
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
        loss: Tensor = super().compute_loss(model, model_inputs(inputs), *args, **kwargs)
        count = counted_rows(inputs)
        rows, total = add_up([count, count * loss.item()])
        if not math.isfinite(total):
            error = RunError(
                f"the loss is {total / rows} at step {self.state.global_step + 1}; lower train.learning_rate "
                f"({self.args.learning_rate:g}) or its factors, or look at the data of that step"
            )
            raise alike(error)
        return loss * (count * processes() * self._micro_batches / self._step_rows)

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        """All files of a checkpoint, with their digests."""
        with whole_checkpoint(Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"):
            super()._save_checkpoint(*args, **kwargs)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        save_checkpoint(folder, trained_state(self.model), self.skiptune_config)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        load_trained(model or self.model, load_file(Path(resume_from_checkpoint) / TRAINED))


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
        data_seed=config.seed + stretch.done,  # so that the order differs from that of the search
        remove_unused_columns=False,
        label_names=["labels"],
        report_to="none",
        disable_tqdm=True,
        ddp_find_unused_parameters=True,
        use_cpu=processes() > 1 and not torch.cuda.is_available(),  # else several processes need GPUs
    )
