"""The plan of a strategy, with the report of how it was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from torch import nn

from ..config import Budget, SearchConfig
from ..core.distributed import on_main
from ..costs.example_inputs import Inputs
from ..costs.macs import plan_counter
from ..families.registry import family_of
from ..plan import Plan, SearchReport, TokenSchedule
from .budget import NONE, savings_of
from .just_met import counted_just_met, just_met
from .mixtures import Mixtures
from .strategies import Strategy
from .token_pool import goal


def begun_report(
    strategy: Strategy, budget: Budget, config: SearchConfig, protected: Mapping[str, str] = NONE
) -> SearchReport:
    """What is known before any training."""
    found = strategy.subnetworks
    return SearchReport(
        seed=strategy.seed,
        budget=budget,
        allowance=None if isinstance(found, Mixtures) else savings_of(found, strategy.names),
        schedules=strategy.schedules or None,
        search=config,
        seconds=0.0,
        rounds=(),
        protected=dict(protected) or None,
    )


def found_plan(model: nn.Module, strategy: Strategy, report: SearchReport, inputs: Callable[[], Inputs]) -> Plan:
    """The plan of a strategy that has decided for a model; ``inputs`` gives those that costs are stated for."""
    family, found = family_of(model).name, strategy.subnetworks
    if found.only == ():
        return Plan(family, strategy.names, (), "none")
    tokens = None
    if isinstance(found, Mixtures):
        allowance = savings_of(found.sets_of(strategy.best()), strategy.names)
        report = report.replace(allowance=allowance)
        tokens = on_main(lambda: _raised(model, strategy, found, report, inputs))
    preferences = dict(zip(strategy.names, strategy.preferences, strict=True)) if strategy.searches else None
    return Plan(family, strategy.names, strategy.chosen(), strategy.name, preferences, report, tokens=tokens)


def _raised(
    model: nn.Module, strategy: Strategy, found: Mixtures, report: SearchReport, inputs: Callable[[], Inputs]
) -> TokenSchedule | None:
    """The chosen schedule with as many tokens as the budget leaves beside the chosen blocks: of operations they are
    counted, of time they follow from what was timed before the search."""
    tokens, skipped, budget = strategy.chosen_tokens(), strategy.chosen(), report.budget
    if tokens is None or budget is None:
        return None
    most = goal(found.costs.original, budget.macs or budget.latency or 0.0)

    def estimate(other: TokenSchedule | None) -> float:
        return found.costs.at(other).with_skipped(skipped)

    if budget.macs is None:
        return just_met(tokens, estimate, most)
    count = plan_counter(model, inputs(), budget.steps)
    return counted_just_met(tokens, estimate, partial(count, skipped), most, found.costs.places)
