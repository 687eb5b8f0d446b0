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
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerControl

from ..config import TrainConfig
from ..core.digests import damaged_file
from ..core.distributed import add_up, alike, on_main, processes
from ..core.errors import InputError, RunError
from ..data.record import Record
from .callback_states import restore_callbacks, was_stopped
from .checkpoints import TRAINED, save_checkpoint, whole_checkpoint
from .dataset import SharedBatches, SharedCollator, counted, model_inputs
from .gradient_checkpointing import checkpointed_gradients
from .optimizer import make_optimizer
from .precision import forward_restored, own_precision
from .schedule import Stretch, make_scheduler
from .trained_state import load_trained, trained_state
from .validation import Validation


class SkipTrainer(Trainer):
    """Trainer with learning rates by parameter group, checkpoints of the trained parameters only, and a stop at NaN.

    Several processes train like one process with all their batches together, to rounding; so do several micro-batches.
    A job may resume with another number of processes. Only dropout draws from the global generators, whose states are
    then those of a new job: with dropout (METER and BridgeTower have it, ViLT does not), another number of processes
    has other masks.
    """

    def __init__(
        self,
        *args: Any,
        config: TrainConfig,
        stretch: Stretch,
        validation: Validation | None = None,
        subnetwork: str = "",
        **kwargs: Any,
    ) -> None:
        self.optimizer: torch.optim.Optimizer | None
        self.lr_scheduler: LRScheduler | None
        super().__init__(*args, **kwargs)
        self.skiptune_config, self.stretch, self.validation = config, stretch, validation
        self.subnetwork = subnetwork
        self.model_accepts_loss_kwargs = False
        self._step_count, self._micro_batches = 0.0, 1
        self._stopped = False

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> LRScheduler:
        """The schedule over the whole training, of which this may be a part."""
        if self.lr_scheduler is None:
            self.lr_scheduler = make_scheduler(optimizer or self.create_optimizer(), self.args, self.stretch)
        return self.lr_scheduler

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """See :mod:`skiptune.training.optimizer`."""
        if self.optimizer is None:
            self.optimizer = make_optimizer(self.model, self.skiptune_config, self.args)
        return self.optimizer

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """As the Trainer's; afterwards the model computes in its own precision again."""
        checkpointed = checkpointed_gradients(self.model, self.skiptune_config.gradient_checkpointing)
        with checkpointed, forward_restored(self.model):
            return super().train(*args, **kwargs)

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """The task's metrics and the loss on the validation records, by the first process, in the model's own
        precision."""
        validation = self.validation
        assert validation is not None  # else the Trainer does not evaluate
        with own_precision(self.model):
            found = on_main(lambda: validation.measure(self.model, self.args.per_device_eval_batch_size))
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in found.items()}
        self.log(metrics)
        self.control: TrainerControl = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

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
        """The micro-batches of a step; notes what counts of them, over all processes."""
        batches: list[dict[str, Tensor]]
        batches, items = super().get_batch_samples(*args)
        self._step_count = add_up([sum(map(counted, batches))])[0]
        self._micro_batches = len(batches)
        return batches, items

    def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
        """One pass; none after the last step or a stop, where the Trainer, resumed there, would take another one."""
        ended = self._stopped or self.control.should_training_stop
        if ended or self.state.global_step >= self.state.max_steps:
            self.control.should_training_stop = True
        else:
            super()._run_epoch(*args, **kwargs)

    def compute_loss(self, model: nn.Module, inputs: dict[str, Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """The loss of a micro-batch, scaled so that its mean over processes and micro-batches is the mean over rows,
        or over the tokens of answers; in evaluation mode that of the batch by itself.

        Raises:
            RunError: the loss is not finite in some process; nothing is saved after that.
        """
        loss: Tensor = super().compute_loss(model, model_inputs(inputs), *args, **kwargs)
        if not model.training:
            return loss
        count = counted(inputs)
        rows, total = add_up([count, count * loss.item()])
        if not math.isfinite(total):
            error = RunError(
                f"the loss is {total / rows} at step {self.state.global_step + 1}; lower train.learning_rate "
                f"({self.args.learning_rate:g}) or its factors, or look at the data of that step"
            )
            raise alike(error)
        return loss * (count * processes() * self._micro_batches / self._step_count)

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        """All files of a checkpoint, with their digests."""
        with whole_checkpoint(Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"):
            super()._save_checkpoint(*args, **kwargs)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        save_checkpoint(folder, trained_state(self.model), self.skiptune_config, self.subnetwork)

    def _load_callback_state(self) -> None:
        # the end of a search is no end of the training, which may go on from its checkpoint
        self._stopped = was_stopped(self.state) and self.state.global_step > self.stretch.searching
        restore_callbacks([*self.callback_handler.callbacks, self.control], self.state)
        best = self._best_checkpoint()
        self.state.best_model_checkpoint = str(best) if best.is_dir() else None  # the directory may have moved

    def _best_checkpoint(self) -> Path:
        return Path(self.args.output_dir) / f"checkpoint-{self.state.best_global_step}"

    def _load_best_model(self) -> None:
        """The weights of the best evaluation.

        Raises:
            InputError: they are not as they were written.
        """
        folder = self._best_checkpoint()
        if (file := damaged_file(folder)) is not None:
            raise InputError(f"{file}: differs from what was written (SHA-256); remove {folder.parent} to train again")
        load_trained(self.model, load_file(folder / TRAINED), str(folder / TRAINED))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        load_trained(model or self.model, load_file(Path(resume_from_checkpoint) / TRAINED))
