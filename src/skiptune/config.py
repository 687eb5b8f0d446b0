"""Settings of adapters, budget, search and training, each checked as a whole."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from .core.trainer_fields import MEASURING, Optimizer, Reporter, Scheduler, argument_problems
from .core.validated import Count, NonNegative, Number, Seed, Several, Validated
from .core.validation import Problems, is_number

BlockAdapter = Literal["bottleneck", "lora", "none"]
Reward = Literal["standardized", "exp_loss"]
Draw = Literal["step", "micro_batch"]
StrategyName = Literal[
    "bandit", "policy", "random", "first", "last", "even", "influence", "first_order", "leave_one_out", "greedy"
]
Scope = Literal["fusion", "global"]
Start = Literal["zero", "paper", "fit"]
Group = Literal["block_adapters", "skip_adapters", "small_parts", "head", "body"]
#: Parameter groups, in the order they are reported.
GROUPS: tuple[Group, ...] = get_args(Group)
#: Those that can have a learning rate of their own; poolers are a part of the small parts.
Rate = Literal[Group, "poolers"]
Width = Annotated[int, Field(ge=1, le=65536)]
Reduction = Annotated[Number, Field(gt=-1, lt=0, description="between -1 and 0 (a reduction is negative, e.g. -0.25)")]


def _as_names(given: object) -> object:
    """One name stands for a list of it, and transformers' ``none`` for an empty one."""
    names = [given] if isinstance(given, str) else given
    return [name for name in names if name != "none"] if isinstance(names, list) else names


class SkipConfig(Validated):
    """The adapters that :func:`skiptune.insert` inserts.

    Attributes:
        block_adapter: in parallel to the sub-layers of kept blocks: the paper's ``bottleneck`` (cannot be merged),
            ``lora`` (PEFT's, merged at export, so kept blocks cost nothing extra), or ``none`` (no adapters at all).
        block_width: bottleneck of a block adapter; ``None``: an eighth of the model's width (96 at 768, the paper's).
        skip_width: bottleneck of a skip adapter; ``None``: block width × adapters per block, so that the adapters of a
            skipped block cost as much as those of a kept one.
        init: ``zero`` changes no output on insertion, and a skipped block passes its stream through; ``paper`` is the
            released initialisation; ``fit`` is ``zero`` for block adapters, while skip adapters start as the linear
            maps nearest to their blocks. A run does the fit; in Python call :func:`skiptune.fit_skip_adapters`.
        lora_rank: rank of LoRA on kept blocks.
        lora_alpha: LoRA's scale numerator; ``None``: twice the rank.
        scope: ``fusion``: the blocks that see both modalities can be skipped; ``global``: the layers of the encoders
            below them too, which get skip adapters but no block adapters (families with such encoders only).
    """

    block_adapter: BlockAdapter = "bottleneck"
    block_width: Width | None = None
    skip_width: Width | None = None
    init: Start = "zero"
    lora_rank: int = Field(default=16, ge=1, le=4096)
    lora_alpha: Width | None = None
    scope: Scope = "fusion"

    @classmethod
    def paper(cls) -> SkipConfig:
        """The released settings: width 96, a skip adapter as wide as the block adapters it replaces (192 for ViLT, 288
        for METER), all adapter weights from N(0, 0.02)."""
        return cls(block_adapter="bottleneck", block_width=96, init="paper")


class Budget(Validated):
    """How much to skip. Exactly one is given.

    Blocks are skipped until the budget is met, and no more. Relative changes are against the original model without
    adapters; what the adapters add counts too. They hold for one text and one image of the model's usual size.

    Attributes:
        num_skip: the number of blocks to skip.
        macs: relative change of multiply-accumulates, e.g. ``-0.25``.
        latency: relative change of the seconds of a forward pass, timed before the search, so the plan depends on the
            machine. Blocks of one kind share one timing.
    """

    num_skip: int | None = Field(default=None, ge=0, le=10_000)
    macs: Reduction | None = None
    latency: Reduction | None = None

    def check(self, problems: Problems) -> None:
        given = ", ".join(f"{name}={value}" for name, value in self)
        problems.check([value for _, value in self].count(None) == 2, f"{given}: give exactly one of them")


class SearchConfig(Validated):
    """The search for blocks to skip (paper, section 3.3).

    Attributes:
        strategy: how blocks are chosen: ``bandit`` is ours, ``policy`` the paper's, the others are heuristics, see
            :mod:`skiptune.searching.strategies`.
        epochs: passes over the training data before the plan is fixed; ``None``: for strategies that compare during
            training 30 % of the training's steps, the paper's share; for the others a tenth of the steps, at least 64,
            at most 30 %.
        max_steps: optimizer steps instead of epochs.
        warmup_epochs: for strategies that compare during training: passes before the first comparison; ``None``: a
            third of the search.
        cost: work spent on comparisons, as a share of the training's work; it sets the number of rounds. A training
            step counts as two forward passes over its batch, the least that forward and backward pass can cost.
        interval: for the same strategies: steps between rounds, instead of those that follow from ``cost``.
        candidates: distinct subnetworks compared in one round; the bandit takes fewer if there are not so many.
        reward_batch_size: examples in the held-out batch of a round; ``None``: as many as a drawn subnetwork trains on,
            in an optimizer step or (``draw: micro_batch``) a micro-batch of all processes; half as many for the bandit.
        batches: held-out batches on which strategies without rounds compare, once, at the end of the search.
        policy_learning_rate: learning rate of the paper's preferences.
        reward: reward of the paper's policy. ``standardized``: minus the loss in units of a running standard deviation
            within rounds, so that the scale of the loss does not matter; ``exp_loss``: the paper's ``exp(-loss)``,
            which underflows for losses in the hundreds.
        draw: whether a new subnetwork is drawn for every optimizer ``step``, or for every ``micro_batch`` as in the
            released code.
    """

    strategy: StrategyName = "bandit"
    epochs: Number | None = Field(default=None, ge=1e-6, le=1e6)
    max_steps: Count | None = None
    warmup_epochs: Number | None = Field(default=None, ge=0, le=1e6)
    cost: Number = Field(default=0.1, ge=0, le=100)
    interval: Count | None = None
    candidates: int = Field(default=8, ge=2, le=10_000)
    reward_batch_size: Count | None = None
    batches: int = Field(default=4, ge=1, le=10_000)
    policy_learning_rate: Number = Field(default=1.0, ge=1e-12, le=1e6)
    reward: Reward = "standardized"
    draw: Draw = "step"

    @classmethod
    def paper(cls) -> SearchConfig:
        """The released search: its policy and rewards, 3 candidates every 10 micro-batches, a new subnetwork for each
        micro-batch, 3 epochs of which the first is a warm-up."""
        return cls(
            strategy="policy",
            epochs=3,
            warmup_epochs=1,
            interval=10,
            candidates=3,
            reward="exp_loss",
            draw="micro_batch",
        )

    @field_validator("warmup_epochs")
    @classmethod
    def _part_of_epochs(cls, warmup: float | None, info: ValidationInfo) -> float | None:
        if warmup is not None and "epochs" in info.data:
            epochs = info.data["epochs"]
            if epochs is None:
                raise ValueError(f"{warmup} needs epochs, of which it is a part")
            if warmup >= epochs:
                raise ValueError(f"{warmup} leaves nothing of epochs={epochs} for the search")
        return warmup


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
