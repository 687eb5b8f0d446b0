"""The paper's policy: a preference for every block, sampled without replacement and moved by rewards (section 3.3)."""

from __future__ import annotations

import numpy as np
import torch

from ...config import SearchConfig
from ...core.errors import InputError
from ...plan import Round
from ..evaluator import Evaluator
from ..feasible_sets import Candidate, FeasibleSets
from ..mixtures import Subnetworks
from .rewards import Standardized, exp_loss
from .strategy import State, Strategy

_ATTEMPTS = 1000


class Policy(Strategy):
    """Preferences ``g`` of a k-armed bandit over blocks; a higher one means more skippable.

    Blocks to skip are drawn without replacement with probabilities proportional to ``sigmoid(g)``; every round compares
    a few such sets on one held-out batch. Departures from the released code: rewards are measured in evaluation mode,
    on batches that rotate and are shared by the candidates of a round, with private generators.
    """

    name = "policy"
    compares_while_training = True

    def __init__(self, subnetworks: Subnetworks, config: SearchConfig, seed: int, names: tuple[str, ...]) -> None:
        super().__init__(subnetworks, config, seed, names)
        self.g = torch.zeros(self.blocks, dtype=torch.float32)
        self.reward = Standardized()
        self.rounds = 0

    def check(self) -> None:
        distinct = self.feasible.count()
        if distinct < self.config.candidates:
            raise InputError(
                f"candidates: {self.config.candidates} distinct subnetworks a round, but within the budget there "
                f"are only {distinct}, of {self.blocks} blocks; lower search.candidates or change the budget"
            )

    def draw(self, step: int, sets: FeasibleSets | None = None, candidate: int = 0) -> Candidate:
        """The blocks of draw ``candidate`` at ``step``, in increasing order."""
        entropy = np.random.SeedSequence((self.seed, step, candidate)).generate_state(1, np.uint64)[0]
        return self.draw_from(sets or self.feasible, torch.Generator().manual_seed(int(entropy >> 1)))

    def draw_from(self, sets: FeasibleSets, generator: torch.Generator) -> Candidate:
        """One of ``sets``: blocks that save differently are drawn one after the other until there are enough."""
        # a probability of zero would leave a block out of the order
        probabilities = self.g.sigmoid().clamp_min(torch.finfo(torch.float32).tiny)
        number = sets.number if len(sets.useful) == self.blocks else None
        count = self.blocks if number is None else number
        order = torch.multinomial(probabilities, count, replacement=False, generator=generator)
        return sets.fill(order.tolist())

    def draw_distinct(self, number: int, step: int) -> list[Candidate]:
        """``number`` different candidates for one round at ``step``: there are that many (:meth:`check`), but if
        preferences lie far apart, fewer may be drawn.
        """
        found: dict[Candidate, None] = {}
        for attempt in range(1, _ATTEMPTS * number):
            found.setdefault(self.draw(step, candidate=attempt))
            if len(found) == number:
                break
        return list(found)

    def compare(self, evaluator: Evaluator, step: int) -> Round:
        candidates = self.draw_distinct(self.config.candidates, step)
        losses = evaluator.losses(candidates, self.rounds)
        rewards = exp_loss(losses) if self.config.reward == "exp_loss" else self.reward(losses)
        self.rounds += 1
        self.update(candidates, rewards)
        return Round(
            candidates=tuple(candidates),
            losses=tuple(losses),
            rewards=tuple(rewards),
            preferences=tuple(self.preferences),
        )

    def update(self, candidates: list[Candidate], rewards: list[float]) -> None:
        """``g_i += (r_k − b) · p_i (1 − p_i) · lr`` for every block ``i`` skipped in candidate ``k``, with the baseline
        ``b``.

        All of a round's steps use the probabilities from before the round.
        """
        baseline, rate = self.baseline(rewards), self.config.policy_learning_rate
        probabilities = self.g.sigmoid()
        for candidate, reward in zip(candidates, rewards, strict=True):
            for block in candidate:
                p = probabilities[block]
                # multiplied from left to right, as the released code does: another order changes the last bit
                self.g[block] += (reward - baseline) * p * (1 - p) * rate
        self.preferences = self.g.tolist()

    def baseline(self, rewards: list[float]) -> float:
        """What a round's rewards are compared with: their mean."""
        return sum(rewards) / len(rewards)

    def best(self) -> Candidate:
        """The blocks of highest preferences that meet the budget, in increasing order; equal ones by number.

        If blocks save differently, the set with the largest sum of preferences: the most likely one if each block were
        skipped independently with probability ``sigmoid(g)``. Candidates of a round save about the same, so a
        preference of zero means that a block hurts as much as its saving is worth, and sets of different size can be
        compared.
        """
        return self.feasible.best([-preference for preference in self.g.tolist()])

    def state(self) -> State:
        return {**super().state(), "spread": self.reward.spread, "rounds": self.rounds}

    def restore(self, state: State) -> None:
        super().restore(state)
        self.g = torch.tensor(self.preferences, dtype=torch.float32)
        self.reward.spread, self.rounds = state["spread"], int(state["rounds"])
