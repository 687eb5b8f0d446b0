"""The arguments of transformers' Trainer that a configuration stands for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from ..config import TrainConfig
from ..core.distributed import processes
from .schedule import Stretch

#: AdamW's second beta, as published; transformers has 0.999.
_ADAM_BETA2 = 0.98


def training_arguments(config: TrainConfig, folder: Path, stretch: Stretch, metric: str | None = None) -> Any:
    """The Trainer's arguments for a configuration and a number of steps.

    Args:
        config: the configuration.
        folder: for checkpoints.
        stretch: which steps of the whole training these are.
        metric: what makes an evaluation the best; ``None``: nothing is evaluated.
    """
    steps = stretch.steps
    own = {
        "output_dir": str(folder),
        "per_device_train_batch_size": config.batch_size,
        "gradient_accumulation_steps": config.gradient_accumulation,
        "max_steps": steps,
        "optim": config.optimizer,
        "lr_scheduler_type": config.scheduler,
        "learning_rate": config.learning_rate,
        "max_grad_norm": config.max_grad_norm,
        "bf16": config.bf16,
        "fp16": config.fp16,
        "save_steps": config.save_steps or max(1, steps // 10),
        "save_total_limit": 2,
        "dataloader_num_workers": config.workers,
        "seed": config.seed,
        "data_seed": config.seed + stretch.done,  # so that the order differs from that of the search
        "remove_unused_columns": False,
        "label_names": ["labels"],
        "report_to": list(config.report_to) or "none",
        "disable_tqdm": True,
        "ddp_find_unused_parameters": True,
        "use_cpu": _on_cpu(config),
        **_evaluation(config, metric),
    }
    found = TrainingArguments(**{**own, **_defaults(steps), **config.arguments})
    # set afterwards, because the Trainer would want every evaluation to be a multiple of save_steps
    found.load_best_model_at_end = config.load_best and metric is not None
    return found


def _on_cpu(config: TrainConfig) -> bool:
    """Whether the Trainer must be told that there is no GPU: else several processes, and half precision, need one."""
    if torch.cuda.is_available():
        return False
    return processes() > 1 or ((config.bf16 or config.fp16) and not torch.backends.mps.is_available())


def _defaults(steps: int) -> dict[str, Any]:
    """Arguments that a configuration may change."""
    return {
        "adam_beta2": _ADAM_BETA2,
        "logging_steps": max(1, steps // 50),
        "logging_nan_inf_filter": False,
        "dataloader_pin_memory": torch.cuda.is_available(),
        "per_device_eval_batch_size": 64,
    }


def _evaluation(config: TrainConfig, metric: str | None) -> dict[str, Any]:
    if metric is None:
        return {"eval_strategy": "no"}
    larger = config.best_by == "metric"
    return {
        "eval_strategy": "steps",
        "eval_steps": config.eval_steps,
        "metric_for_best_model": metric,
        "greater_is_better": larger,
    }
