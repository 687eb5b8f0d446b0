"""Settings of the search."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from ..core.validated import Count, Names, Number, Validated
from ..core.validation import Problems
from .way import Way

Reward = Literal["standardized", "exp_loss"]
Draw = Literal["step", "micro_batch"]
Mixture = Literal["both", "tokens", "uniform"]
StrategyName = Literal[
    "bandit", "policy", "random", "first", "last", "even", "influence", "first_order", "gate_probe", "angular",
    "replaceme", "leave_one_out", "greedy",
]  # fmt: skip


#: Strategies that choose a token schedule too.
KNOWING_TOKENS: tuple[StrategyName, ...] = ("bandit", "random")


class SearchConfig(Validated):
    """The search for blocks to skip (paper, section 3.3).

    Attributes:
        strategy: how blocks are chosen: ``bandit`` is ours, ``policy`` the paper's, the others are heuristics, see
            :mod:`skiptune.searching.strategies`.
        epochs: passes over the training data before the plan is fixed; ``None``: for strategies that compare during
            training 30 % of the training's steps, the paper's share; for the others a twentieth of the steps, at least
            8; with ``tokens`` a tenth, at least 64; at most 30 %.
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
        keep: names of blocks that are never skipped, beside those that the family protects; a layer's name stands for
            both of its halves.
        draw: whether a new subnetwork is drawn for every optimizer ``step``, or for every ``micro_batch`` as in the
            released code.
        growing: whether subnetworks skip one block at first, and then more and more, until they meet the budget in the
            middle of the warm-up; with a budget in operations or time, an equally growing part of it.
        nested: one training for every number of skipped blocks up to the plan's: the plan's blocks get an order, every
            training step after the search skips the first ``k`` of them, with ``k`` drawn from 1 to all, and the
            held-out loss of every ``k`` is measured in the end; see :meth:`skiptune.Plan.first`.
        tokens: how image tokens become fewer, see :class:`skiptune.TokenSchedule`: the best mixture of skipped blocks
            and a token schedule meets the budget, of ``macs`` or ``latency``. Where image tokens can pass layers
            unchanged, schedules may say so of the last ones. ``None``: skipped blocks alone. The strategies ``bandit``
            and ``random`` know schedules.
        mixture: what is mixed, with ``tokens``: ``both``, blocks and schedules; ``tokens``: schedules alone, no block
            is skipped; ``uniform``: the one schedule with the same factor at every place that meets the budget.
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
    keep: Names = ()
    growing: bool = False
    nested: bool = False
    tokens: Way | None = None
    mixture: Mixture = "both"

    def check(self, problems: Problems) -> None:
        if self.tokens is None:
            problems.check(self.mixture == "both", f"mixture: {self.mixture}: of no use without tokens; set tokens too")
            return
        known = " or ".join(KNOWING_TOKENS)
        problems.check(
            self.strategy in KNOWING_TOKENS,
            f"strategy: {self.strategy}: it chooses blocks alone; with tokens take {known}",
        )
        problems.check(not self.nested, "nested: true: blocks alone are nested; leave it off, or leave out tokens")
        problems.check(not self.growing, "growing: true: blocks alone can grow; leave it off, or leave out tokens")

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

    @classmethod
    def lavin(cls) -> SearchConfig:
        """The search of LaVIN-DAS: the released policy with 3 candidates and a learning rate of 0.05, 10 epochs of
        which half are a warm-up. The released code has 150 rounds an epoch; here ``cost`` decides."""
        return cls.paper().replace(epochs=10, warmup_epochs=5, interval=None, policy_learning_rate=0.05)

    @classmethod
    def llava(cls) -> SearchConfig:
        """The search of LLaVA-DAS: the released policy with 5 candidates every 3 micro-batches and a learning rate of
        0.1, 20 epochs, a growing number of blocks.

        Departures: candidates are judged on held-out examples, not on the micro-batch that was just trained on; the
        warm-up is a third of the search, about that of the released scripts.
        """
        return cls.paper().replace(
            epochs=20, warmup_epochs=None, interval=3, candidates=5, policy_learning_rate=0.1, growing=True
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
