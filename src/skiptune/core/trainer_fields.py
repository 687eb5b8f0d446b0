"""What transformers' Trainer knows by name: its arguments, optimizers, schedules and places to report to.

transformers is imported only where an argument is checked, because that takes seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from .validation import nearest, shortened

#: Optimizers that take groups of parameters and leave weights as they are between steps, which leaves out GaLore,
#: APOLLO, LOMO and those without a schedule.
Optimizer = Literal[
    "adamw_torch", "adamw_torch_fused", "adamw_torch_xla", "adamw_torch_npu_fused", "adamw_torch_4bit",
    "adamw_torch_8bit", "adamw_anyprecision", "adafactor", "sgd", "adagrad", "rmsprop", "ademamix", "ademamix_8bit",
    "adamw_bnb_8bit", "adamw_8bit", "lion_8bit", "lion_32bit", "rmsprop_bnb", "rmsprop_bnb_8bit", "rmsprop_bnb_32bit",
    "paged_adamw_32bit", "paged_adamw_8bit", "paged_ademamix_32bit", "paged_ademamix_8bit", "paged_lion_32bit",
    "paged_lion_8bit", "grokadamw", "stable_adamw",
]  # fmt: skip
Scheduler = Literal[
    "linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup", "inverse_sqrt",
    "reduce_lr_on_plateau", "cosine_with_min_lr", "cosine_warmup_with_min_lr", "warmup_stable_decay", "greedy",
]  # fmt: skip
#: Schedules that follow what is measured on validation.
MEASURING: tuple[Scheduler, ...] = ("reduce_lr_on_plateau", "greedy")
Reporter = Literal[
    "azure_ml", "clearml", "codecarbon", "comet_ml", "dagshub", "dvclive", "flyte", "kubeflow", "mlflow", "neptune",
    "swanlab", "tensorboard", "trackio", "wandb",
]  # fmt: skip
#: Arguments of the Trainer that are fields of ours under another name, or the same one.
_FIELDS = {
    "per_device_train_batch_size": "batch_size",
    "num_train_epochs": "epochs",
    "max_steps": "max_steps",
    "learning_rate": "learning_rate",
    "lr_scheduler_type": "scheduler",
    "warmup_steps": "warmup_ratio",
    "warmup_ratio": "warmup_ratio",
    "optim": "optimizer",
    "weight_decay": "weight_decay",
    "gradient_accumulation_steps": "gradient_accumulation",
    "max_grad_norm": "max_grad_norm",
    "bf16": "bf16",
    "fp16": "fp16",
    "gradient_checkpointing": "gradient_checkpointing",
    "activation_checkpointing": "gradient_checkpointing",
    "report_to": "report_to",
    "eval_strategy": "eval_steps",
    "eval_steps": "eval_steps",
    "save_steps": "save_steps",
    "load_best_model_at_end": "load_best",
    "metric_for_best_model": "best_by",
    "greater_is_better": "best_by",
    "seed": "seed",
    "data_seed": "seed",
    "dataloader_num_workers": "workers",
}
_CHECKPOINTS = "checkpoints hold the trained parameters and all that a resume needs"
_MEASURED = "the task measures, as in an evaluation"
_ORDER = "a resumed training, and one of several processes, would take other rows"
_SHARDED = "the subnetwork changes at every step of a search, which sharded and compiled models do not follow"
_EXPORT = "skiptune.export and skiptune.push_to_hub give models away"
_COMMAND = "that is decided by what you call"
_LOSS = "the tasks have losses of their own"
#: Further arguments that would break a training, and why.
_REFUSED = {
    "output_dir": "that is a recipe's output, and fit's folder",
    "remove_unused_columns": "the collators of the tasks read records",
    "label_names": "the collators of the tasks name the labels",
    "gradient_checkpointing_kwargs": "reentrant checkpoints lose gradients above frozen layers",
    "activation_checkpointing_kwargs": "reentrant checkpoints lose gradients above frozen layers",
    "optim_target_modules": "parameters are grouped by their learning rates",
    "label_smoothing_factor": _LOSS,
    "average_tokens_across_devices": _LOSS,
    "use_liger_kernel": "its kernels are for other models",
    "liger_kernel_config": "its kernels are for other models",
    "use_cache": "these models generate no text",
    "auto_find_batch_size": "another batch size is another training; lower batch_size",
    "disable_tqdm": "the progress bar is skiptune's",
    "use_cpu": "set CUDA_VISIBLE_DEVICES= in the environment to train on the CPU",
    "eval_on_start": "the search decides what is measured at the start",
    **dict.fromkeys(("prediction_loss_only", "eval_do_concat_batches", "eval_use_gather_object"), _MEASURED),
    **dict.fromkeys(("eval_accumulation_steps", "include_for_metrics", "batch_eval_metrics"), _MEASURED),
    **dict.fromkeys(("bf16_full_eval", "fp16_full_eval"), _MEASURED),
    **dict.fromkeys(("save_strategy", "save_total_limit", "save_only_model", "save_on_each_node"), _CHECKPOINTS),
    **dict.fromkeys(("enable_jit_checkpoint", "restore_callback_states_from_checkpoint"), _CHECKPOINTS),
    **dict.fromkeys(("ignore_data_skip", "dataloader_drop_last", "dataloader_in_order"), _ORDER),
    **dict.fromkeys(("train_sampling_strategy", "length_column_name", "accelerator_config"), _ORDER),
    **dict.fromkeys(("ddp_find_unused_parameters", "ddp_static_graph", "parallelism_config"), _SHARDED),
    **dict.fromkeys(("fsdp", "fsdp_config", "deepspeed", "torch_compile"), _SHARDED),
    **dict.fromkeys(("torch_compile_backend", "torch_compile_mode"), _SHARDED),
    **dict.fromkeys(("push_to_hub", "hub_token", "hub_private_repo", "hub_model_id"), _EXPORT),
    **dict.fromkeys(("hub_strategy", "hub_always_push", "hub_revision"), _EXPORT),
    **dict.fromkeys(("do_train", "do_eval", "do_predict", "resume_from_checkpoint", "local_rank"), _COMMAND),
}


def argument_problems(arguments: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with arguments of the Trainer, one text each that begins with the name."""
    kinds = _kinds() if arguments else {}
    free = [name for name in kinds if name not in _FIELDS and name not in _REFUSED]
    for name, value in arguments.items():
        if name in _FIELDS:
            yield f"{name}: give {_FIELDS[name]} instead, a field of train"
        elif name in _REFUSED:
            yield f"{name}: cannot be set; {_REFUSED[name]}"
        elif name not in kinds:
            yield f"{name}: not an argument of transformers' Trainer{nearest(name, free)}"
        elif not _fits(kinds[name], value):
            yield f"{name}: {shortened(repr(value))} is not {_in_words(kinds[name])}"


def _in_words(kind: Any) -> str:
    words = {NoneType: "null", dict: "a mapping", int: "a whole number", float: "a number", str: "a text"}
    words[bool] = "true or false"
    parts = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    plain = [get_origin(part) or part for part in parts]
    texts = [isinstance(part, type) and issubclass(part, str) for part in plain]  # enumerations, too
    found = ["a text" if text else words.get(part, "a list") for part, text in zip(plain, texts, strict=True)]
    return " or ".join(dict.fromkeys(found))


def _fits(kind: Any, value: Any) -> bool:
    try:
        TypeAdapter(kind, config=ConfigDict(strict=True, arbitrary_types_allowed=True)).validate_python(value)
    except ValidationError:
        return False
    return not isinstance(value, float) or math.isfinite(value)


@cache
def _kinds() -> dict[str, Any]:
    """The type of each argument."""
    from transformers import TrainingArguments

    hints = get_type_hints(TrainingArguments)
    return {field.name: hints[field.name] for field in fields(TrainingArguments) if field.init}
