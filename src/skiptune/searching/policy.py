"""The policy: a preference for every block, sampled without replacement and moved by rewards (paper, section 3.3)."""

from __future__ import annotations

import numpy as np
import torch

from ..errors import InputError
from .allowance import Allowance

Candidate = tuple[int, ...]


class Policy:
    """Preferences ``g`` of a k-armed bandit over blocks; a higher one means more skippable.

    Blocks to skip are drawn without replacement with probabilities proportional to ``sigmoid(g)``. All randomness
    comes from private generators seeded by ``(seed, step, candidate)``: the same whatever else draws, and after a
    resume.

    Args:
        allowance: which sets of blocks may be skipped.
        learning_rate: of the preferences.
        seed: of the draws.
    """

    def __init__(self, allowance: Allowance, learning_rate: float = 1.0, seed: int = 0) -> None:
        self.allowance, self.learning_rate, self.seed = allowance, learning_rate, seed
        self.preferences = torch.zeros(len(allowance.savings), dtype=torch.float32)

    def draw(self, step: int, candidate: int = 0) -> Candidate:
        """The blocks of draw ``candidate`` at ``step``, in increasing order.

        Blocks that save differently are drawn one after the other until the allowance is met.
        """
        number = self.allowance.number
        if number == 0:
            return ()
        entropy = np.random.SeedSequence((self.seed, step, candidate)).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(entropy >> 1))
        probabilities = self.preferences.sigmoid()
        if number is not None:
            chosen = torch.multinomial(probabilities, number, replacement=False, generator=generator)
            return tuple(sorted(chosen.tolist()))
        probabilities = probabilities.clamp_min(torch.finfo(torch.float32).tiny)  # all blocks must be in the order
        order = torch.multinomial(probabilities, len(probabilities), replacement=False, generator=generator)
        return self.allowance.fill(order.tolist())

    def draw_distinct(self, number: int, step: int) -> list[Candidate]:
        """``number`` different candidates for one round at ``step``.

        Raises:
            InputError: there are fewer distinct subnetworks than that.
        """
        self.check_candidates(number)
        found: list[Candidate] = []
        attempt = 1
        while len(found) < number:
            candidate = self.draw(step, attempt)
            attempt += 1
            if candidate not in found:
                found.append(candidate)
        return found

    def check_candidates(self, number: int) -> None:
        """Refuse to look for more distinct subnetworks than there are."""
        distinct = self.allowance.count()
        if distinct < number:
            raise InputError(
                f"candidates: {number} distinct subnetworks a round, but the budget gives only {distinct} of "
                f"{len(self.allowance.savings)} blocks; lower search.candidates or change the budget"
            )

    def update(self, candidates: list[Candidate], rewards: list[float]) -> None:
        """``g_i += lr · (r_k − mean r) · p_i (1 − p_i)`` for every block ``i`` skipped in candidate ``k``.

        All of a round's steps use the probabilities from before the round.
        """
        baseline = sum(rewards) / len(rewards)
        probabilities = self.preferences.sigmoid()
        for candidate, reward in zip(candidates, rewards, strict=True):
            for block in candidate:
                p = probabilities[block]
                # multiplied from left to right, as the released code does: another order changes the last bit
                self.preferences[block] += self.learning_rate * (reward - baseline) * p * (1 - p)

    def best(self) -> Candidate:
        """The blocks of highest preferences that meet the budget, in increasing order; equal ones by number.

        Where blocks save differently, the set with the largest sum of preferences: the likeliest one, if each block is
        skipped with probability ``sigmoid(g)`` by itself. Rewards are compared within rounds whose candidates save
        alike, so zero is a block that hurts as much as its saving is worth, and sets of different size compare.
        """
        return self.allowance.best([-preference for preference in self.preferences.tolist()])
