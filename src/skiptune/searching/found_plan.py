"""The plan of a strategy, with the report of how it was found."""

from __future__ import annotations

from collections.abc import Mapping

from ..config import Budget, SearchConfig
from ..plan import Plan, SearchReport
from .budget import NONE, savings_of
from .strategies import Strategy


def begun_report(
    strategy: Strategy, budget: Budget, config: SearchConfig, protected: Mapping[str, str] = NONE
) -> SearchReport:
    """What is known before any training."""
    allowance = savings_of(strategy.feasible, strategy.names)
    return SearchReport(
        seed=strategy.seed,
        budget=budget,
        allowance=allowance,
        search=config,
        seconds=0.0,
        rounds=(),
        protected=dict(protected) or None,
    )


def found_plan(family: str, strategy: Strategy, report: SearchReport) -> Plan:
    """The plan of a strategy that has decided."""
    if strategy.feasible.number == 0:
        return Plan(family, strategy.names, (), "none")
    preferences = dict(zip(strategy.names, strategy.preferences, strict=True)) if strategy.trains else None
    return Plan(family, strategy.names, strategy.chosen(), strategy.name, preferences, report)
