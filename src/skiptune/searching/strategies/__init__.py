"""Strategies that choose the blocks to skip: ours, the paper's, and heuristics to compare with."""

from __future__ import annotations

from ...config import SearchConfig
from ..mixtures import Subnetworks
from .angular import Angular
from .bandit import Bandit
from .first_order import FirstOrder
from .gate_probe import GateProbe
from .influence import Influence
from .policy import Policy
from .positions import Even, First, Last, Random
from .removal import Greedy, LeaveOneOut
from .replaceme import ReplaceMe
from .strategy import Strategy

#: By name, as ``search.strategy`` of a recipe has it.
STRATEGIES: dict[str, type[Strategy]] = {
    strategy.name: strategy
    for strategy in (
        Bandit,
        Policy,
        Random,
        First,
        Last,
        Even,
        Influence,
        FirstOrder,
        GateProbe,
        Angular,
        ReplaceMe,
        LeaveOneOut,
        Greedy,
    )
}


def make_strategy(subnetworks: Subnetworks, config: SearchConfig, seed: int, names: tuple[str, ...]) -> Strategy:
    """The strategy of a configuration; see :class:`Strategy` for the arguments.

    Raises:
        InputError: settings that cannot work with these sets of blocks.
    """
    strategy = STRATEGIES[config.strategy](subnetworks, config, seed, names)
    if subnetworks.only is None:
        strategy.check()
    return strategy


__all__ = ["STRATEGIES", "Strategy", "make_strategy"]
