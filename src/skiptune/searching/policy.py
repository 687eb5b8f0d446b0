"""The policy: a preference for every block, sampled without replacement and moved by rewards (paper, section 3.3)."""

from __future__ import annotations

import math

import numpy as np
import torch

from ..errors import InputError

Candidate = tuple[int, ...]


class Policy:
    """Preferences ``g`` of a k-armed bandit over blocks; a higher one means more skippable.

    Blocks to skip are drawn without replacement with probabilities proportional to ``sigmoid(g)``. All randomness
    comes from private generators seeded by ``(seed, step, candidate)``: the same whatever else draws, and after a
    resume.

    Args:
        blocks: how many blocks there are.
        count: how many of them are skipped at a time.
        learning_rate: of the preferences.
        seed: of the draws.

    Raises:
        InputError: ``count`` is not in [0, blocks).
    """

    def __init__(self, blocks: int, count: int, learning_rate: float = 1.0, seed: int = 0) -> None:
        if not 0 <= count < blocks:
            raise InputError(f"num_skip: {count} of {blocks} blocks; at least one must be kept")
        self.blocks, self.count, self.learning_rate, self.seed = blocks, count, learning_rate, seed
        self.preferences = torch.zeros(blocks, dtype=torch.float32)

    def draw(self, step: int, candidate: int = 0) -> Candidate:
        """The blocks of draw ``candidate`` at ``step``, in increasing order."""
        if self.count == 0:
            return ()
        entropy = np.random.SeedSequence((self.seed, step, candidate)).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(entropy >> 1))
        chosen = torch.multinomial(self.preferences.sigmoid(), self.count, replacement=False, generator=generator)
        return tuple(sorted(chosen.tolist()))

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
        distinct = math.comb(self.blocks, self.count)
        if distinct < number:
            raise InputError(
                f"candidates: {number} distinct subnetworks a round, but skipping {self.count} of {self.blocks} blocks "
                f"gives only {distinct}; lower search.candidates or change the budget"
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
        """The blocks with the highest preferences, in increasing order; equal ones by number."""
        order = sorted(range(self.blocks), key=lambda block: (-float(self.preferences[block]), block))
        return tuple(sorted(order[: self.count]))
