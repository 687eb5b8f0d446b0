"""Methods that skip no block and let fewer image tokens go on, as far as the budget's operations ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from torch import nn

from ..config import SkipConfig
from ..costs.example_inputs import example_inputs
from ..costs.macs import plan_counter
from ..experiment import Experiment
from ..families.family import Family, no_places
from ..families.registry import family_of
from ..inserting.selection import token_places
from ..plan import Plan, TokenSchedule
from ..searching.token_pool import ROUNDING
from ..tasks.input_size import input_size
from .method import Method, Setup, TrainingContext, nothing_skipped
from .token_shapes import TokenShape

_HALVINGS = 10  # of the range of strengths: a thousandth of the tokens
_STRONGEST = 1 - 2.0**-_HALVINGS


class TokenMethod(Method):
    """The token reduction of a paper on a method of tuning.

    Its schedule has the paper's form, scaled by one number until the counted operations meet the budget.

    Args:
        name: as of all methods.
        title: of the reduction and what is trained.
        tuning: what is trained; it adds nothing at inference.
        shape: the form of the schedule.
        untrained: whether tokens become fewer at inference only; the training then has all of them.
    """

    budgeted = sweeps = True

    def __init__(self, name: str, title: str, tuning: Method, shape: TokenShape, untrained: bool = False) -> None:
        self.name, self.title, self.tuning, self.shape, self.untrained = name, title, tuning, shape, untrained
        self.form, self.own, self.rate, self.whole = tuning.form, tuning.own, tuning.rate, tuning.whole

    def refusal(self, family: Family) -> str | None:
        if family.reducible is no_places:
            return f"image tokens of {family.name} cannot become fewer"
        return self.shape.refusal(family) or self.tuning.refusal(family)

    def unusable(self, model: nn.Module) -> str | None:
        family = family_of(model)
        if (refusal := self.refusal(family)) is not None:
            return refusal
        places = token_places(model)
        if not places:
            return f"image tokens of this {family.name} model cannot become fewer"
        return self.shape.unusable(places) or self.tuning.unusable(model)

    def unmet(self, model: nn.Module, experiment: Experiment) -> str | None:
        budget = experiment.needed_budget
        if budget.macs is None:
            return "its schedule is scaled by counted operations, which needs a budget of them (macs)"
        strongest = self._change(model, experiment)(_STRONGEST)
        return None if strongest <= budget.macs else f"budget.macs: {budget.macs}: all it can reach is {strongest:+.3f}"

    def adapters(self, config: SkipConfig) -> SkipConfig:
        return self.tuning.adapters(config)

    def prepare(self, model: nn.Module, setup: Setup) -> nn.Module:
        return self.tuning.prepare(model, setup)

    def find_plan(self, model: nn.Module, context: TrainingContext) -> Plan:
        schedule = self.schedule(model, context.experiment)
        return replace(nothing_skipped(model), strategy="given", tokens=schedule)

    def trained_with(self, plan: Plan) -> Plan:
        return replace(plan, tokens=None) if self.untrained else plan

    def slim(self, model: nn.Module, plan: Plan) -> nn.Module:
        return self.tuning.slim(model, plan)

    def learning_rate_factors(self, recipe: Mapping[str, float], given: float | None = None) -> dict[str, float]:
        return self.tuning.learning_rate_factors(recipe, given)

    def schedule(self, model: nn.Module, experiment: Experiment) -> TokenSchedule:
        """The mildest schedule of its form that meets the budget, to a thousandth of the tokens."""
        target = (experiment.needed_budget.macs or 0.0) + ROUNDING
        change, mild, strong = self._change(model, experiment), 0.0, _STRONGEST
        for _ in range(_HALVINGS):
            middle = (mild + strong) / 2
            mild, strong = (mild, middle) if change(middle) <= target else (middle, strong)
        return self.shape.schedule(model, strong)

    def _change(self, model: nn.Module, experiment: Experiment) -> Callable[[float], float]:
        """Gives, for a strength, the relative change of the operations against the original's."""
        inputs = example_inputs(model, *input_size(experiment.task, experiment.valid or experiment.train))

        count = plan_counter(model, inputs, experiment.needed_budget.steps)
        original = count((), None)
        return lambda strength: count((), self.shape.schedule(model, strength)) / original - 1
