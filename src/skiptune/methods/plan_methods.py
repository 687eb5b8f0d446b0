"""Methods that skip blocks: searched plans (DAS), random ones, and the best of the heuristics."""

from __future__ import annotations

import time
from dataclasses import replace

from torch import nn

from ..config import BlockAdapter, SkipConfig
from ..core.distributed import on_main
from ..families.registry import family_of
from ..inserting.insert import insert
from ..inserting.selection import blocks_of
from ..plan import Plan, SearchReport
from ..searching.search import prepare_search, search
from ..searching.strategy_comparison import StrategyComparison
from ..training.trained_state import load_trained, read_trained
from .method import Method, Setup, TrainingContext

#: Heuristics: by position, by influence and first-order importance, by removal of single blocks.
HEURISTICS = ("first", "last", "even", "influence", "first_order", "leave_one_out")


class Skipping(Method):
    """Adapters or LoRA on kept blocks, and skip adapters.

    Args:
        kind: the adapters in kept blocks.
    """

    skips = budgeted = True
    own = ("block_adapters", "skip_adapters")

    def __init__(self, kind: BlockAdapter) -> None:
        self.kind, self.form = kind, kind

    def adapters(self, config: SkipConfig) -> SkipConfig:
        return config.replace(block_adapter=self.kind)

    def prepare(self, model: nn.Module, setup: Setup) -> nn.Module:
        return insert(model, self.adapters(setup.adapters), setup.seed)


class Searched(Skipping):
    """Dynamic Architecture Skipping: the search of the recipe, whose steps are a part of the training."""

    sweeps = True

    def __init__(self, kind: BlockAdapter) -> None:
        super().__init__(kind)
        self.name, self.title = f"das-{kind}", f"DAS, {_PARTS[kind]}"

    def find_plan(self, model: nn.Module, context: TrainingContext) -> Plan:
        goes_on = context.start == "search"
        folder = context.checkpoints if goes_on else context.checkpoints / "search"
        with context.inside(model):
            return search(model, context.experiment, folder, keep_adapters=goes_on)


class RandomPlan(Skipping):
    """Random blocks, another set for every seed, trained from the first step on."""

    sweeps = True

    def __init__(self, kind: BlockAdapter) -> None:
        super().__init__(kind)
        self.name, self.title = f"random-{kind}", f"random plans, {_PARTS[kind]}"

    def find_plan(self, model: nn.Module, context: TrainingContext) -> Plan:
        config = context.experiment.search.replace(strategy="random")
        strategy = prepare_search(model, replace(context.experiment, search=config), context.folder)
        return Plan(family_of(model).name, strategy.names, strategy.chosen(), "random")


class BestHeuristic(Skipping):
    """Of the plans of several heuristics, the one with the lowest held-out loss, on adapters that are trained as in a
    search.

    These adapters are trained on evenly drawn subnetworks for as many steps as a search, and then with the plan.
    """

    def __init__(self, kind: BlockAdapter) -> None:
        super().__init__(kind)
        self.name, self.title = f"heuristic-{kind}", f"best heuristic, {_PARTS[kind]}"

    def find_plan(self, model: nn.Module, context: TrainingContext) -> Plan:
        started = time.perf_counter()
        comparison = StrategyComparison(context.make, context.experiment, context.folder, context.inside)
        best = comparison.rows(HEURISTICS)[0]
        steps = 0
        if context.start == "search":
            path = context.folder / "warm.safetensors"
            load_trained(model, on_main(lambda: read_trained(path)), str(path))
            steps = comparison.warm_up.steps
        report = SearchReport(steps=steps, seconds=time.perf_counter() - started)
        return Plan(family_of(model).name, tuple(blocks_of(model)), best.skipped, best.strategy, report=report)


#: The adapters in kept blocks, for titles.
_PARTS = {"bottleneck": "adapters", "lora": "LoRA", "none": "no adapters"}
