"""Methods that skip blocks: searched plans (DAS), random ones, and the best of the heuristics."""

from __future__ import annotations

import time
from dataclasses import replace

from torch import nn

from ..config import BlockAdapter
from ..families.registry import family_of
from ..inserting.insert import insert
from ..inserting.selection import blocks_of
from ..plan import Plan, SearchReport
from ..searching.search import prepare_search, search
from ..searching.strategy_comparison import StrategyComparison
from ..training.trained_state import load_trained, read_trained
from .method import Method, Setup, Work

#: Strategies that need no search: by position, by what blocks do, by what each loses alone.
HEURISTICS = ("first", "last", "even", "influence", "first_order", "leave_one_out")


class Skipping(Method):
    """Adapters or LoRA on kept blocks, and skip adapters.

    Args:
        kind: what kept blocks get.
    """

    skips = True
    own = ("block_adapters", "skip_adapters")

    def __init__(self, kind: BlockAdapter) -> None:
        self.kind, self.form = kind, kind

    def prepare(self, model: nn.Module, setup: Setup) -> nn.Module:
        return insert(model, setup.adapters.replace(block_adapter=self.kind), setup.seed)


class Searched(Skipping):
    """Dynamic Architecture Skipping: the search of the recipe, whose steps are a part of the training."""

    sweeps = True

    def __init__(self, kind: BlockAdapter) -> None:
        super().__init__(kind)
        self.name, self.title = f"das-{kind}", f"DAS, {_SAID[kind]}"

    def choose(self, model: nn.Module, work: Work) -> Plan:
        with work.inside(model):
            return search(model, work.experiment, keep_adapters=work.start == "search")


class RandomPlan(Skipping):
    """Blocks drawn at random, another set for every seed; the whole training is theirs."""

    sweeps = True

    def __init__(self, kind: BlockAdapter) -> None:
        super().__init__(kind)
        self.name, self.title = f"random-{kind}", f"random plans, {_SAID[kind]}"

    def choose(self, model: nn.Module, work: Work) -> Plan:
        config = work.experiment.search.replace(strategy="random")
        strategy = prepare_search(model, replace(work.experiment, search=config), work.folder)
        return Plan(family_of(model).name, strategy.names, strategy.chosen(), "random")


class BestHeuristic(Skipping):
    """The plan of several heuristics that has the lowest held-out loss, on adapters that are trained as in a search.

    These adapters are trained on evenly drawn subnetworks for as many steps as a search takes, and go on being trained
    with the plan.
    """

    def __init__(self, kind: BlockAdapter) -> None:
        super().__init__(kind)
        self.name, self.title = f"heuristic-{kind}", f"best heuristic, {_SAID[kind]}"

    def choose(self, model: nn.Module, work: Work) -> Plan:
        started = time.perf_counter()
        comparison = StrategyComparison(work.make, work.experiment, work.folder, work.inside)
        best = comparison.rows(HEURISTICS)[0]
        steps = 0
        if work.start == "search":
            path = work.folder / "warm.safetensors"
            load_trained(model, read_trained(path), str(path))
            steps = comparison.warm_up.steps
        report = SearchReport(steps=steps, seconds=time.perf_counter() - started)
        return Plan(family_of(model).name, tuple(blocks_of(model)), best.skipped, best.strategy, report=report)


_SAID = {"bottleneck": "adapters", "lora": "LoRA"}
