"""What every way of choosing blocks has in common."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ...config import SearchConfig
from ..evaluator import Trial
from ..feasible_sets import Allowance, Candidate


class Strategy:
    """A way to choose the blocks to skip.

    While adapters train, :meth:`draw` says on which subnetwork. Strategies that look meanwhile compare subnetworks on
    held-out records now and then, by :meth:`look`; all are asked to :meth:`decide` at the end, once. Then :meth:`best`
    is the choice.
    All randomness comes from private generators seeded by ``(seed, step, …)``: the same whatever else draws, and after
    a resume.

    Args:
        allowance: which sets of blocks the budget asks for.
        config: search settings.
        seed: of all that is drawn.
        names: of the blocks.

    Attributes:
        preferences: for every block how gladly it is skipped, for reports and plots; higher means more skippable.
    """

    name: ClassVar[str]
    #: Whether adapters must have learnt something before this can choose.
    trains: ClassVar[bool] = True
    #: Whether it compares subnetworks during the training, or only at its end.
    looks: ClassVar[bool] = False
    #: Size of a held-out batch where none is set, as a share of the training batch of all processes.
    batch_share: ClassVar[float] = 1.0

    def __init__(self, allowance: Allowance, config: SearchConfig, seed: int, names: tuple[str, ...]) -> None:
        self.allowance, self.config, self.seed, self.names = allowance, config, seed, names
        self.blocks = len(names)
        self.preferences = [0.0] * self.blocks
        self.choice: Candidate = ()

    def check(self) -> None:
        """Refuse settings that cannot work, before any training.

        Raises:
            InputError: says which and why.
        """

    def draw(self, step: int) -> Candidate:
        """The subnetwork that trains at ``step``: blocks in random order, until there are enough of them."""
        return self.allowance.fill(self.generator(step).permutation(self.blocks).tolist())

    def look(self, trial: Trial, step: int) -> dict[str, Any]:
        """Compare some subnetworks; returns what to note of it, as JSON values."""
        raise NotImplementedError

    def decide(self, trial: Trial, rounds: int) -> list[dict[str, Any]]:
        """Come to a choice, from what was seen or by looking now: at most ``rounds`` times, where the strategy goes by
        rounds. Returns what to note of each round, as :meth:`look` does.
        """
        return []

    def best(self) -> Candidate:
        """The blocks to skip, in increasing order."""
        return self.choice

    def state(self) -> dict[str, Any]:
        """What a resume needs, as JSON values."""
        return {"preferences": list(self.preferences)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        self.preferences = [float(value) for value in state["preferences"]]

    def summary(self) -> dict[str, Any]:
        """What a report should know of the decision beside the preferences, as JSON values."""
        return {}

    def generator(self, *entropy: int) -> np.random.Generator:
        """A private generator for one purpose."""
        return np.random.default_rng((self.seed, *entropy))

    def settle(self, hurt: list[float]) -> None:
        """Choose the blocks that together hurt least."""
        self.preferences = [-value for value in hurt]
        self.choice = self.allowance.best(hurt)
