"""Which sets of blocks a budget asks for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

Candidate = tuple[int, ...]
_SLACK = 1e-9


@dataclass(frozen=True)
class Allowance:
    """The sets of blocks that save at least ``target``, with no block too many.

    Attributes:
        savings: of each block, in model order; 1 each where a number of blocks is asked for.
        target: to be reached by their sum.
    """

    savings: tuple[float, ...]
    target: float

    @property
    def number(self) -> int | None:
        """How many blocks every such set has, if all save alike; else ``None``."""
        if len(set(self.savings)) > 1:
            return None
        return max(0, math.ceil(self.target / self.savings[0] * (1 - _SLACK)))

    def distinct(self) -> int:
        """How many such sets there are; where blocks differ, at least so many: one for every first block that a
        random order may begin with.
        """
        return len(self.savings) if self.number is None else math.comb(len(self.savings), self.number)

    def enough(self, blocks: Sequence[int]) -> bool:
        """Whether skipping ``blocks`` meets the budget."""
        return sum(self.savings[block] for block in blocks) >= self.target * (1 - _SLACK)

    def fill(self, order: Sequence[int]) -> Candidate:
        """Blocks in this order until there are enough, less those that are not needed after all, the latest first."""
        chosen: list[int] = []
        for block in order:
            if self.enough(chosen):
                break
            chosen.append(block)
        for block in chosen[-2::-1]:
            rest = [other for other in chosen if other != block]
            chosen = rest if self.enough(rest) else chosen
        return tuple(sorted(chosen))

    def best(self, hurt: Sequence[float]) -> Candidate:
        """The set whose blocks together hurt least: an exact knapsack.

        Of blocks that save alike, those that hurt less go first, so it is enough to know how many of each kind to take;
        a block that hurts less than nothing counts as harmless. Equal ones by number.
        """
        kinds: dict[float, list[int]] = {}
        for block in sorted(range(len(hurt)), key=lambda block: (hurt[block], block)):
            kinds.setdefault(round(self.savings[block], 9), []).append(block)
        if len(kinds) == 1:
            return self.fill(next(iter(kinds.values())))
        best, least = (), math.inf
        for counts in product(*(range(len(blocks) + 1) for blocks in kinds.values())):
            chosen = [block for count, blocks in zip(counts, kinds.values(), strict=True) for block in blocks[:count]]
            total = sum(max(hurt[block], 0.0) for block in chosen)
            if total < least and self.enough(chosen) and len(chosen) < len(hurt):
                best, least = tuple(sorted(chosen)), total
        return best
