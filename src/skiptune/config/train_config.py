"""Settings of the training."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator

from ..core.trainer_fields import MEASURING, Optimizer, Reporter, Scheduler, argument_problems
from ..core.validated import Count, NonNegative, Number, Seed, Several, Validated
from ..core.validation import Problems, is_number

Group = Literal["block_adapters", "skip_adapters", "small_parts", "head", "body"]
#: Parameter groups, in the order they are reported.
GROUPS: tuple[Group, ...] = get_args(Group)
#: Those that can have a learning rate of their own; poolers are a part of the small parts.
Rate = Literal[Group, "poolers"]


def _as_names(given: object) -> object:
    """One name stands for a list of it, and transformers' ``none`` for an empty one."""
    names = [given] if isinstance(given, str) else given
    return [name for name in names if name != "none"] if isinstance(names, list) else names


class TrainConfig(Validated):
    """Optimisation, of both the search and the final training.

    Attributes:
        epochs: passes over the training data, those of the search included unless the training starts afresh. A pass
            takes ``ceil(rows / examples a step)`` steps: its last step has the rows that are left.
        max_steps: optimizer steps instead of epochs.
        batch_size: examples per micro-batch and process.
        gradient_accumulation: micro-batches per optimizer step.
        learning_rate: peak learning rate of the schedule.
        learning_rate_factors: factors of it by parameter group (``head``, ``block_adapters``, ``skip_adapters``,
            ``small_parts``, ``body``). ``poolers`` are among the small parts unless they have a factor of their own.
        weight_decay: that of the optimizer.
        warmup_ratio: share of the steps with a rising learning rate, which then falls as the ``scheduler`` says.
        max_grad_norm: gradient clipping; 0: none.
        save_steps: optimizer steps between checkpoints; ``None``: ten checkpoints per training.
        workers: processes that decode images; 0 decodes in the main process.
        augment: RandAugment of training images: ``n`` operations of strength ``m`` (0 to 30), e.g. ``{n: 2, m: 9}``;
            empty: none.
        seed: seed of data order, adapter weights, subnetworks and held-out batches.
        decayed: what ``weight_decay`` applies to. ``matrices``: not to biases, LayerNorms and other vectors. ``paper``:
            as in the released code, to all but biases and parameters that it names ``LayerNorm``, ``norm``, ``norm1``
            or ``norm2``: so also to the LayerNorms of adapters and heads and, if they are trained, of METER's and
            BridgeTower's image encoders.
        optimizer: by transformers' name (``optim``): ``adamw_torch`` with betas (0.9, 0.98), ``adamw_torch_fused``,
            ``adafactor``, ``sgd``, …; settings of it are ``arguments``, e.g. ``{adam_beta2: 0.999}``.
        scheduler: of the learning rate, by transformers' name (``lr_scheduler_type``): ``linear``, ``cosine``,
            ``constant_with_warmup``, …; it spans search and training together. ``reduce_lr_on_plateau`` and ``greedy``
            follow what is measured on validation.
        bf16: compute in bfloat16 where that is safe (autocast); trained parameters stay float32.
        fp16: the same in float16, with scaled losses; needs a GPU.
        gradient_checkpointing: compute activations again in the backward pass instead of keeping them: less memory,
            about a third more time, the same gradients.
        eval_steps: optimizer steps between evaluations on the validation records, which measure the task's metrics and
            the loss; the last step is evaluated too. ``None``: none. There is none while the search draws subnetworks.
        load_best: end with the weights of the best evaluation instead of the last ones. Evaluated steps are then
            checkpoints, too. Only steps with the plan's blocks skipped count.
        best_by: what is best: the task's first ``metric``, or the lowest ``loss``.
        early_stopping: stop after this many evaluations in a row without a new best; ``None``: never.
        report_to: where losses and metrics are logged beside the run's own files: ``tensorboard``, ``wandb``, …; one
            name or several. Each needs its own library.
        arguments: further ``TrainingArguments`` of transformers by name, e.g. ``{adam_epsilon: 1e-6, logging_steps: 5,
            run_name: kitchen}``. Those that are fields here, or would break a training, are refused by name.
    """

    epochs: Number = Field(default=10, ge=1e-6, le=1e6)
    max_steps: Count | None = None
    batch_size: Count = 32
    gradient_accumulation: Count = 1
    learning_rate: Number = Field(default=1e-3, ge=0, le=1e3)
    learning_rate_factors: dict[Rate, NonNegative] = Field(default={})
    weight_decay: Number = Field(default=0.01, ge=0, le=1e3)
    warmup_ratio: Number = Field(default=0.1, ge=0, le=1)
    max_grad_norm: NonNegative = 1.0
    save_steps: Count | None = None
    workers: int = Field(default=0, ge=0, le=256)
    augment: dict[Literal["n", "m"], Number] = Field(default={})
    seed: Seed = 0
    decayed: Literal["matrices", "paper"] = "matrices"
    optimizer: Optimizer = "adamw_torch"
    scheduler: Scheduler = "linear"
    bf16: bool = False
    fp16: bool = False
    gradient_checkpointing: bool = False
    eval_steps: Count | None = None
    load_best: bool = False
    best_by: Literal["metric", "loss"] = "metric"
    early_stopping: Count | None = None
    report_to: Annotated[Several[Reporter], BeforeValidator(_as_names)] = ()
    arguments: dict[str, Any] = Field(default={})

    @field_validator("arguments")
    @classmethod
    def _further_arguments(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        problems = Problems("")
        for line in argument_problems(arguments):
            problems.add(line)
        problems.raise_any()
        return arguments

    def check(self, problems: Problems) -> None:
        problems.check(not (self.bf16 and self.fp16), "bf16 and fp16: choose one of them")
        measuring = {
            "load_best": self.load_best,
            "early_stopping": self.early_stopping is not None,
            f"scheduler: {self.scheduler}": self.scheduler in MEASURING,
        }
        for name, wanted in measuring.items():
            problems.check(self.eval_steps is not None or not wanted, f"{name}: needs evaluations; set eval_steps")

    @field_validator("augment")
    @classmethod
    def _operations_and_strength(cls, augment: dict[str, float]) -> dict[str, float]:
        problems, n, m = Problems(""), augment.get("n", 2), augment.get("m", 9)
        problems.check(is_number(n, 1, 100, whole=True), f"n: {n!r} is not a whole number in [1, 100]")
        problems.check(is_number(m, 0, 30), f"m: {m!r} is not a number in [0, 30]")
        problems.raise_any()
        return augment
