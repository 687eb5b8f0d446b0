"""Trainers that cannot search."""

from __future__ import annotations

from transformers import Trainer, TrainerCallback

from ..core.distributed import alike, processes
from ..core.errors import InputError


def refuse_trainer(trainer: Trainer, search: type[TrainerCallback]) -> None:
    """Refuse what splits the blocks' weights up, runs skipped blocks' gradients into a wait, or has two searches.

    Raises:
        InputError: says which argument.
    """
    args = trainer.args
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        raise alike(InputError("SkipSearch: FSDP and DeepSpeed split the blocks it chooses among; use DDP instead"))
    if processes() > 1 and args.gradient_checkpointing and not args.ddp_find_unused_parameters:
        raise alike(
            InputError(
                "ddp_find_unused_parameters: with gradient checkpointing it is off by default, and several processes "
                "would wait for gradients of skipped blocks; set it to True in the TrainingArguments"
            )
        )
    if sum(isinstance(callback, search) for callback in trainer.callback_handler.callbacks) > 1:
        raise alike(
            InputError("callbacks: this Trainer has two SkipSearch, and each would choose other blocks; give it one")
        )
