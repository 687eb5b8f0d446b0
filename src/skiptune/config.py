"""What to insert, how to search and how to train: plain dataclasses, each checked as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeVar, get_args

from .core.validation import Problems, is_number, nearest

BlockAdapter = Literal["bottleneck", "lora", "none"]
Reward = Literal["standardized", "exp_loss"]
Draw = Literal["step", "micro_batch"]
StrategyName = Literal[
    "bandit", "policy", "random", "first", "last", "even", "influence", "first_order", "leave_one_out", "greedy"
]
Scope = Literal["fusion", "global"]
Start = Literal["zero", "paper", "fit"]
C = TypeVar("C", bound="Config")
_INF = float("inf")


@dataclass(frozen=True)
class Config:
    """Shared behaviour: validated when made, and to and from plain dictionaries."""

    def __post_init__(self) -> None:
        problems = Problems(f"{type(self).__name__} is not valid")
        self.validate(problems)
        problems.raise_any()

    def validate(self, problems: Problems) -> None:
        """Add every problem of the fields to ``problems``."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON and YAML have them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls: type[C], values: Mapping[str, Any]) -> C:
        """Make one from a dictionary; unknown names are refused, with the nearest valid one.

        Raises:
            InputError: an unknown field or an invalid value; all problems in one message.
        """
        known = [entry.name for entry in fields(cls)]
        problems = Problems(f"{cls.__name__} is not valid")
        for name in values:
            problems.check(name in known, f"{name}: unknown field{nearest(name, known)}")
        kept = {name: value for name, value in values.items() if name in known}
        checked = object.__new__(cls)
        for entry in fields(cls):
            default = entry.default_factory() if callable(entry.default_factory) else entry.default
            object.__setattr__(checked, entry.name, kept.get(entry.name, default))
        checked.validate(problems)
        problems.raise_any()
        return cls(**kept)


def _check_numbers(problems: Problems, config: Config, ranges: dict[str, tuple[float, float, bool, bool]]) -> None:
    """``ranges``: field → (lowest, highest, whole, may be None)."""
    for name, (low, high, whole, optional) in ranges.items():
        value = getattr(config, name)
        kind = "a whole number" if whole else "a number"
        ok = (value is None and optional) or is_number(value, low, high, whole)
        problems.check(ok, f"{name}: {value!r} is not {kind} in [{low:g}, {high:g}]" + (" or null" * optional))


def _check_choice(problems: Problems, config: Config, name: str, options: tuple[str, ...]) -> None:
    value = getattr(config, name)
    problems.check(value in options, f"{name}: {value!r}{nearest(str(value), options)}")


@dataclass(frozen=True)
class SkipConfig(Config):
    """Which adapters :func:`skiptune.insert` puts in.

    Attributes:
        block_adapter: beside the sub-layers of kept blocks: the paper's ``bottleneck`` (parallel, not mergeable),
            ``lora`` (PEFT's, merged at export, so kept blocks cost nothing extra), or ``none`` (no adapters at all).
        block_width: bottleneck of a block adapter; ``None``: an eighth of the model's width (96 at 768, the paper's).
        skip_width: bottleneck of a skip adapter; ``None``: block width × adapters a block, so that the adapters of a
            skipped block cost as much as those of a kept one.
        init: ``zero`` changes no output on insertion, and a skipped block passes its stream through; ``paper`` is the
            released initialisation; ``fit`` is ``zero`` for block adapters, while skip adapters start as the linear
            maps nearest to their blocks: a run sees to that, elsewhere call :func:`skiptune.fit_skip_adapters`.
        lora_rank: rank of LoRA on kept blocks.
        lora_alpha: LoRA's scale numerator; ``None``: twice the rank.
        scope: ``fusion``: the blocks that see both modalities can be skipped; ``global``: the layers of the encoders
            below them too, which get skip adapters but no block adapters (families with such encoders only).
    """

    block_adapter: BlockAdapter = "bottleneck"
    block_width: int | None = None
    skip_width: int | None = None
    init: Start = "zero"
    lora_rank: int = 16
    lora_alpha: int | None = None
    scope: Scope = "fusion"

    @classmethod
    def paper(cls) -> SkipConfig:
        """The released settings: width 96, a skip adapter as wide as the block adapters it replaces (192 for ViLT, 288
        for METER), all adapter weights from N(0, 0.02)."""
        return cls(block_adapter="bottleneck", block_width=96, init="paper")

    def validate(self, problems: Problems) -> None:
        _check_choice(problems, self, "block_adapter", get_args(BlockAdapter))
        _check_choice(problems, self, "init", get_args(Start))
        _check_choice(problems, self, "scope", get_args(Scope))
        widths = {"block_width": (1, 65536, True, True), "skip_width": (1, 65536, True, True)}
        ranks = {"lora_rank": (1, 4096, True, False), "lora_alpha": (1, 65536, True, True)}
        _check_numbers(problems, self, {**widths, **ranks})


@dataclass(frozen=True)
class Budget(Config):
    """How much to skip. Exactly one is given.

    Blocks are skipped until the budget is met, and none more. Relative changes are against the original model without
    adapters; what the adapters add counts too. They hold for one text and one image of the model's usual size.

    Attributes:
        num_skip: the number of blocks to skip.
        macs: relative change of multiply-accumulates, e.g. ``-0.25``.
        latency: relative change of the seconds of a forward pass, timed before the search: what it asks for depends on
            the machine. Blocks of one kind share one timing.
    """

    num_skip: int | None = None
    macs: float | None = None
    latency: float | None = None

    def validate(self, problems: Problems) -> None:
        values = self.to_dict()
        given = ", ".join(f"{name}={value}" for name, value in values.items())
        problems.check(list(values.values()).count(None) == 2, f"{given}: give exactly one of them")
        if self.num_skip is not None:
            _check_numbers(problems, self, {"num_skip": (0, 10_000, True, False)})
        for name, value in (("macs", self.macs), ("latency", self.latency)):
            ok = value is None or (is_number(value, -1, 0) and -1 < value < 0)
            problems.check(ok, f"{name}: {value!r} is not between -1 and 0 (a reduction is negative, e.g. -0.25)")


@dataclass(frozen=True)
class SearchConfig(Config):
    """The search for blocks to skip (paper, section 3.3).

    Attributes:
        strategy: how blocks are chosen: ``bandit`` is ours, ``policy`` the paper's, the others are rivals, see
            :mod:`skiptune.searching.strategies`.
        epochs: passes over the training data while the choice is open; ``None``: 30 % of the training's steps, the
            paper's share, for strategies that compare while they train; a tenth of them, or 64 if that is more, for
            the others, but no more than 30 %.
        max_steps: optimizer steps instead of epochs.
        warmup_epochs: of strategies that compare while they train: passes before the first comparison; ``None``: a
            third of the search.
        cost: work spent on comparing, as a share of that of the final training; it sets the number of rounds. A step
            of training is taken to cost two forward passes over its batch, the least a backward pass can do.
        interval: of the same strategies: steps between rounds, instead of what ``cost`` leaves.
        candidates: distinct subnetworks compared in one round; the bandit takes fewer where there are fewer.
        reward_batch_size: examples in the held-out batch of a round; ``None``: as many as in the training batch of all
            processes, half as many for the bandit.
        batches: held-out batches that strategies without rounds compare on, once, at the end of the search.
        policy_learning_rate: of the paper's preferences.
        reward: of the paper's policy. ``standardized``: minus the loss in units of a running spread of the losses of a
            round, whatever the scale of the loss; ``exp_loss``: its own ``exp(-loss)``, which underflows for losses in
            the hundreds.
        draw: a new training subnetwork every optimizer ``step``, or every ``micro_batch`` as the released code does.
    """

    strategy: StrategyName = "bandit"
    epochs: float | None = None
    max_steps: int | None = None
    warmup_epochs: float | None = None
    cost: float = 0.1
    interval: int | None = None
    candidates: int = 8
    reward_batch_size: int | None = None
    batches: int = 4
    policy_learning_rate: float = 1.0
    reward: Reward = "standardized"
    draw: Draw = "step"

    @classmethod
    def paper(cls) -> SearchConfig:
        """The released search: its policy and rewards, 3 candidates every 10 micro-batches, a subnetwork each of them,
        3 epochs of which the first warms up."""
        return cls(
            strategy="policy",
            epochs=3,
            warmup_epochs=1,
            interval=10,
            candidates=3,
            reward="exp_loss",
            draw="micro_batch",
        )

    def validate(self, problems: Problems) -> None:
        _check_choice(problems, self, "strategy", get_args(StrategyName))
        _check_choice(problems, self, "reward", get_args(Reward))
        _check_choice(problems, self, "draw", get_args(Draw))
        ranges = {
            "epochs": (1e-6, 1e6, False, True),
            "max_steps": (1, _INF, True, True),
            "warmup_epochs": (0, 1e6, False, True),
            "cost": (0, 100, False, False),
            "interval": (1, _INF, True, True),
            "candidates": (2, 10_000, True, False),
            "reward_batch_size": (1, _INF, True, True),
            "batches": (1, 10_000, True, False),
            "policy_learning_rate": (1e-12, 1e6, False, False),
        }
        _check_numbers(problems, self, ranges)
        epochs, warmup = self.epochs, self.warmup_epochs
        if warmup is not None and epochs is None:
            problems.add(f"warmup_epochs: {warmup} needs epochs, of which it is a part")
        elif warmup is not None and epochs is not None and is_number(epochs, 0) and is_number(warmup, 0):
            problems.check(warmup < epochs, f"warmup_epochs: {warmup} leaves nothing of epochs={epochs} for the search")


@dataclass(frozen=True)
class TrainConfig(Config):
    """Optimisation, used by the search and by the final training alike.

    Attributes:
        epochs: passes over the training data, those of the search included unless the training starts afresh.
        max_steps: optimizer steps instead of epochs.
        batch_size: examples a micro-batch and process; several processes multiply it.
        gradient_accumulation: micro-batches an optimizer step.
        learning_rate: peak of the schedule.
        learning_rate_factors: multiplies it by parameter group (``head``, ``block_adapters``, ``skip_adapters``,
            ``small_parts``, ``body``).
        weight_decay: AdamW's; biases and LayerNorms are exempt.
        warmup_ratio: share of the steps with a rising learning rate; then it falls linearly to zero.
        max_grad_norm: gradient clipping.
        save_steps: optimizer steps between checkpoints; ``None``: ten a training.
        workers: processes that decode images; 0 decodes in the main process.
        augment: RandAugment of training images: ``n`` operations of strength ``m`` (0 to 30), e.g. ``{n: 2, m: 9}``;
            empty: none.
        seed: of data order, adapter weights, subnetworks and held-out batches.
    """

    epochs: float = 10
    max_steps: int | None = None
    batch_size: int = 32
    gradient_accumulation: int = 1
    learning_rate: float = 1e-3
    learning_rate_factors: dict[str, float] = field(default_factory=dict)
    weight_decay: float = 0.01
    warmup_ratio: float = 0.1
    max_grad_norm: float = 1.0
    save_steps: int | None = None
    workers: int = 0
    augment: dict[str, Any] = field(default_factory=dict)
    seed: int = 0

    def validate(self, problems: Problems) -> None:
        ranges = {
            "epochs": (1e-6, 1e6, False, False),
            "max_steps": (1, _INF, True, True),
            "batch_size": (1, _INF, True, False),
            "gradient_accumulation": (1, _INF, True, False),
            "learning_rate": (0, 1e3, False, False),
            "weight_decay": (0, 1e3, False, False),
            "warmup_ratio": (0, 1, False, False),
            "max_grad_norm": (0, _INF, False, False),
            "save_steps": (1, _INF, True, True),
            "workers": (0, 256, True, False),
            "seed": (0, 2**31 - 1, True, False),
        }
        _check_numbers(problems, self, ranges)
        self._check_augment(problems)
        if not isinstance(self.learning_rate_factors, dict):
            problems.add(f"learning_rate_factors: {self.learning_rate_factors!r} is not a mapping")
            return
        for name, factor in self.learning_rate_factors.items():
            problems.check(name in GROUPS, f"learning_rate_factors.{name}: unknown group{nearest(name, GROUPS)}")
            problems.check(is_number(factor, 0), f"learning_rate_factors.{name}: {factor!r} is not a number ≥ 0")

    def _check_augment(self, problems: Problems) -> None:
        if not isinstance(self.augment, dict):
            problems.add(f"augment: {self.augment!r} is not a mapping of n and m")
            return
        ranges = {"n": (1, 100, True), "m": (0, 30, False)}
        for name, value in self.augment.items():
            if name not in ranges:
                problems.add(f"augment.{name}: unknown field{nearest(str(name), ranges)}")
                continue
            low, high, whole = ranges[name]
            ok = is_number(value, low, high, whole)
            problems.check(ok, f"augment.{name}: {value!r} is not a {'whole ' * whole}number in [{low}, {high}]")


#: Parameter groups, in the order they are reported.
GROUPS = ("block_adapters", "skip_adapters", "small_parts", "head", "body")
