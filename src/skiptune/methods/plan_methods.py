"""Methods that skip blocks: searched plans (DAS), random ones, and the best of the heuristics."""

from __future__ import annotations

import time
from dataclasses import replace

from torch import nn

from ..config import BlockAdapter, SearchConfig, SkipConfig
from ..config.search_config import Mixture
from ..core.distributed import on_main
from ..core.errors import InputError
from ..experiment import Experiment
from ..families.family import Family, no_places
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
    """Random blocks, or a random mixture with a token schedule, another for every seed, trained from the first step
    on."""

    sweeps = True

    def __init__(self, kind: BlockAdapter) -> None:
        super().__init__(kind)
        self.name, self.title = f"random-{kind}", f"random plans, {_PARTS[kind]}"

    def find_plan(self, model: nn.Module, context: TrainingContext) -> Plan:
        config = context.experiment.search.replace(strategy="random", nested=False, growing=False)
        return search(model, replace(context.experiment, search=config), context.folder)


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
        alone = replace(context.experiment, search=_blocks_alone(context.experiment.search))
        comparison = StrategyComparison(context.make, alone, context.folder, context.inside)
        best = comparison.rows(HEURISTICS)[0]
        steps = 0
        if context.start == "search":
            path = context.folder / "warm.safetensors"
            load_trained(model, on_main(lambda: read_trained(path)), str(path))
            steps = comparison.warm_up.steps
        report = SearchReport(steps=steps, seconds=time.perf_counter() - started)
        return Plan(family_of(model).name, tuple(blocks_of(model)), best.skipped, best.strategy, report=report)


class SearchedAlone(Searched):
    """A search that does not mix: blocks alone, or token schedules alone, or no choice at all, see
    :class:`skiptune.SearchConfig`. Beside ``das-lora``, which searches as the recipe says.

    Args:
        name: as of all methods.
        title: in tables and plots.
        mixture: of token schedules alone; ``None``: of blocks alone.
    """

    def __init__(self, name: str, title: str, mixture: Mixture | None) -> None:
        super().__init__("lora")
        self.name, self.title, self.mixture = name, title, mixture

    def refusal(self, family: Family) -> str | None:
        stays = self.mixture is not None and family.reducible is no_places
        return f"image tokens of {family.name} cannot become fewer" if stays else super().refusal(family)

    def unmet(self, model: nn.Module, experiment: Experiment) -> str | None:
        if experiment.needed_budget.latency is not None:
            return None  # blocks would be timed
        try:
            prepare_search(model, self._alone(experiment), None)
        except InputError as error:
            return str(error)
        return None

    def find_plan(self, model: nn.Module, context: TrainingContext) -> Plan:
        return super().find_plan(model, replace(context, experiment=self._alone(context.experiment)))

    def _alone(self, experiment: Experiment) -> Experiment:
        config = _blocks_alone(experiment.search)
        if self.mixture is not None:
            way = experiment.search.tokens or "merge"
            config = config.replace(tokens=way, mixture=self.mixture, nested=False, growing=False)
        return replace(experiment, search=config)


def _blocks_alone(config: SearchConfig) -> SearchConfig:
    return config.replace(tokens=None, mixture="both")


#: The adapters in kept blocks, for titles.
_PARTS = {"bottleneck": "adapters", "lora": "LoRA", "none": "no adapters"}
