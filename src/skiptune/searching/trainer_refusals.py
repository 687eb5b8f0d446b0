"""Trainers that cannot search."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import Trainer, TrainerCallback

from ..core.distributed import alike, processes
from ..core.errors import InputError
from ..inserting.lora import is_of_peft, is_wrapped
from ..inserting.parameter_groups import parameter_groups
from ..training.skip_adapter_init import check_fitted


def refuse_trainer(trainer: Trainer, search: type[TrainerCallback], goes_on: bool) -> None:
    """Refuse what splits the blocks' weights up, runs skipped blocks' gradients into a wait, has two searches, or
    nothing to train, or freezes adapters.

    Args:
        trainer: that calls a search.
        search: its class.
        goes_on: whether the training goes on after it.

    Raises:
        InputError: says which argument.
    """
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        raise alike(InputError("SkipSearch: FSDP and DeepSpeed split the blocks it chooses among; use DDP instead"))
    if processes() > 1 and not _finds_unused(trainer):
        raise alike(
            InputError(
                "ddp_find_unused_parameters: it is off, as by default with gradient checkpointing, and several "
                "processes would wait for gradients of skipped blocks; set it to True in the TrainingArguments"
            )
        )
    if sum(isinstance(callback, search) for callback in trainer.callback_handler.callbacks) > 1:
        raise alike(
            InputError("callbacks: this Trainer has two SkipSearch, and each would choose other blocks; give it one")
        )
    _refuse_frozen(trainer.model)
    if goes_on:
        check_fitted(trainer.model)
    if goes_on and not any(parameter.requires_grad for parameter in trainer.model.parameters()):
        raise alike(
            InputError(
                "SkipSearch: nothing in this model is trained; insert adapters, as with block_adapter='lora', or use "
                "skiptune.replace_me, which needs no training"
            )
        )


def refuse_unprepared(given: Any, trained_on: Any) -> None:
    """Refuse a dataset as it was before a Trainer, such as TRL's, made tokens of its texts.

    Raises:
        InputError: it has other columns than what the Trainer trains on.
    """
    columns, prepared = getattr(given, "column_names", None), getattr(trained_on, "column_names", None)
    if columns and prepared and "input_ids" in prepared and "input_ids" not in columns:
        raise InputError(
            f"held_out: its columns are {', '.join(columns)}, and the training is on {', '.join(prepared)}: this "
            "Trainer makes tokens of its datasets when it is made; give it eval_dataset={'held_out': ...}, and "
            "SkipSearch the name, held_out='held_out'"
        )


def _refuse_frozen(model: nn.Module) -> None:
    """Refuse PEFT's wrapper around adapters of ours: it freezes them, or puts a LoRA of its own in the place of ours.

    Raises:
        InputError: says what to leave out.
    """
    config = getattr(model, "skip_config", None)
    if config is None or not is_wrapped(model):
        return
    groups = parameter_groups(model)
    ours = {name: one for name, one in groups["block_adapters"].items() if not is_of_peft(name)}
    frozen = [name for name, one in (ours | groups["skip_adapters"]).items() if not one.requires_grad]
    if frozen or config.block_adapter == "lora":
        raise alike(
            InputError(
                "model: get_peft_model (TRL's peft_config) is around adapters of SkipTune, and freezes or replaces "
                "them; leave it out: block_adapter='lora' is PEFT's LoRA. Or insert with block_adapter='none' and "
                "skip_adapter='none'"
            )
        )


def _finds_unused(trainer: Trainer) -> bool:
    """Whether DDP looks for parameters without a gradient, as the Trainer decides."""
    args, new, old = trainer.args, "activation_checkpointing", "gradient_checkpointing"
    name = new if hasattr(args, new) else old  # since transformers 5.24, and before
    checkpointed = getattr(args, name) or getattr(trainer.model, f"is_{name}", False)
    given = args.ddp_find_unused_parameters
    return not checkpointed if given is None else given
