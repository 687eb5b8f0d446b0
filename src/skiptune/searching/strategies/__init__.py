"""Strategies that choose the blocks to skip: ours, the paper's, and heuristics to compare with."""

from __future__ import annotations

from .bandit import Bandit
from .first_order import FirstOrder
from .influence import Influence
from .policy import Policy
from .positions import Even, First, Last, Random
from .removal import Greedy, LeaveOneOut
from .strategy import Strategy

#: By name, as ``search.strategy`` of a recipe has it.
STRATEGIES: dict[str, type[Strategy]] = {
    strategy.name: strategy
    for strategy in (Bandit, Policy, Random, First, Last, Even, Influence, FirstOrder, LeaveOneOut, Greedy)
}

__all__ = ["STRATEGIES", "Strategy"]
