"""Compare search strategies: the plan of each, its cost, and its loss on the same held-out records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from ..core.digests import check_recorded, write_recorded_json
from ..core.distributed import on_main
from ..core.progress import track
from ..core.text_files import read_json
from ..experiment import Experiment
from ..plan import Comparisons, Plan, SearchReport
from ..training.trained_state import load_trained, read_trained, save_trained, trained_state
from .evaluator import Evaluator
from .found_plan import begun_report, found_plan
from .held_out import HeldOut
from .loss_weights import weighted_mean
from .plan_file import load_plan, save_plan
from .prefix_sharing import evaluate_each
from .protected import protected_blocks
from .search import inputs_of, prepare_search, search
from .search_schedule import held_out_batch, schedule
from .strategies import STRATEGIES
from .training_length import TrainingLength

#: Largest number of held-out records that plans are judged on.
_JUDGED = 1024
#: The files of the shared warm-up.
WARM_UP = ("warm.json", "warm.safetensors")


@dataclass(frozen=True)
class StrategyRow:
    """The choice of a strategy, its cost and its loss.

    Attributes:
        strategy: its name.
        skipped: blocks of its plan.
        tokens: its token schedule, as text; ``None``: it has none.
        loss: of the plan on held-out records.
        subnetworks: that were compared for the choice.
        seconds: that the comparisons took.
        cost: these seconds as a share of what the whole training takes.
        regret: how far ``loss`` lies above that of the best plan of all.
    """

    strategy: str
    skipped: tuple[str, ...]
    loss: float
    subnetworks: int
    seconds: float
    cost: float
    regret: float = 0.0
    tokens: str | None = None


def needs_warm_up(name: str) -> bool:
    """Whether a strategy compares at the end only, on adapters that others share."""
    return STRATEGIES[name].trains and not STRATEGIES[name].compares_while_training


class StrategyComparison:
    """Searches with several strategies; finished steps are stored in ``folder`` and not repeated.

    Strategies that compare only at the end share one warm-up on evenly drawn subnetworks; those that compare during the
    training get a search of their own. All plans are then judged on the warmed-up adapters, which favour none of them,
    by the loss on up to 1,024 held-out records.

    Args:
        make: the pre-trained model with fresh adapters, the same at every call.
        experiment: as for :func:`skiptune.search`; the strategies take the place of its own.
        folder: for all files of the comparison.
        inside: a context in which a model is trained and compared, as that of :class:`skiptune.EncoderCache`.
    """

    def __init__(
        self,
        make: Callable[[], nn.Module],
        experiment: Experiment,
        folder: Path,
        inside: Callable[[nn.Module], AbstractContextManager[Any]] = lambda model: nullcontext(),
    ) -> None:
        self.make, self.experiment, self.folder, self.inside = make, experiment, folder, inside

    def rows(self, names: Sequence[str]) -> list[StrategyRow]:
        """One row per strategy, the best first; also written to ``compare.json``.

        Raises:
            InputError: a strategy cannot meet the budget; nothing has been trained yet.
        """
        self.check(names)
        warm = self.warmed_up()
        plans = {name: self.plan(name, warm) for name in names}
        losses = self._judge(warm, list(plans.values()))
        least = min(losses)
        rows = [self._row(plan, loss, loss - least) for plan, loss in zip(plans.values(), losses, strict=True)]
        rows.sort(key=lambda row: row.loss)
        content = {"rows": [asdict(row) for row in rows], "budget": self.experiment.needed_budget.to_dict()}
        on_main(lambda: write_recorded_json(self.folder / "compare.json", content))
        return rows

    def check(self, names: Sequence[str]) -> None:
        """Refuse settings that cannot work, before any search begins.

        Raises:
            InputError: a strategy cannot meet the budget.
        """
        fresh = self.make()
        for name in names:
            prepare_search(fresh, self._with(name), self.folder)

    @property
    def warm_up(self) -> SearchReport:
        """Time and steps of the shared warm-up, once it is done."""
        path = self.folder / "warm.json"
        report = on_main(lambda: SearchReport.from_dict(read_json(path)))
        on_main(lambda: check_recorded(path, "Remove it and warm.safetensors to warm up again."))
        return report

    def warmed_up(self) -> nn.Module:
        """The model with adapters trained on evenly drawn subnetworks; they are in :data:`WARM_UP`."""
        path, model = self.folder / "warm.safetensors", self.make()
        if not on_main(path.is_file):
            report = self._search(model, "influence", self.folder / "warm").report  # compares at the end only
            assert report is not None
            took = {"seconds": report.seconds, "steps": report.steps, "of": report.training_steps}
            state = trained_state(model)
            # first, because saved adapters mean that the warm-up is done
            on_main(lambda: write_recorded_json(self.folder / "warm.json", took))
            on_main(lambda: save_trained(path, state))
        load_trained(model, on_main(lambda: read_trained(path)), str(path))
        return model

    def plan(self, name: str, warm: nn.Module | None = None) -> Plan:
        """The choice of a strategy, in ``NAME.json``; ``warm`` is that of :meth:`warmed_up`, if it is at hand."""
        path = self.folder / f"{name}.json"
        if not on_main(path.is_file):
            if needs_warm_up(name):
                plan = self._decide(name, self.warmed_up() if warm is None else warm)
            else:
                plan = self._search(self.make(), name, self.folder / name)
            on_main(lambda: save_plan(path, plan))
        return on_main(lambda: load_plan(path))

    def _search(self, model: nn.Module, name: str, folder: Path) -> Plan:
        with self.inside(model):
            return search(model, self._with(name), folder)

    def _with(self, strategy: str) -> Experiment:
        """The experiment with another strategy."""
        return replace(self.experiment, search=self.experiment.search.replace(strategy=strategy))

    def _decide(self, name: str, model: nn.Module) -> Plan:
        """The choice of a strategy that compares at the end only, on the warmed-up ``model``."""
        experiment, training = self._with(name), self.experiment.training
        strategy = prepare_search(model, experiment, self.folder)
        length = TrainingLength.of(training, len(experiment.train))
        batch = held_out_batch(experiment.search, length)
        with self.inside(model):
            evaluator = Evaluator(HeldOut.of(model, self.experiment, self.folder), batch, strategy.schedules)
            rounds = strategy.decide(evaluator, schedule(experiment.search, length, batch).rounds)
        warm = self.warm_up
        begun = begun_report(strategy, experiment.needed_budget, experiment.search)
        report = begun.replace(
            seconds=warm.seconds,
            steps=warm.steps,
            comparisons=evaluator.comparisons,
            rounds=tuple(rounds),
            certainty=strategy.certainty(),
            protected=protected_blocks(model, experiment.search) or None,
        )
        return found_plan(model, strategy, report, partial(inputs_of, model, experiment))

    def _judge(self, model: nn.Module, plans: Sequence[Plan]) -> list[float]:
        model.eval()
        count, weights = min(_JUDGED, len(self.experiment.valid)), list[float]()
        found: list[list[float]] = [[] for _ in plans]
        with self.inside(model):
            held_out = HeldOut.of(model, self.experiment, self.folder)
            for weight, piece in track(list(held_out.first(count)), "judging"):
                weights.append(weight)
                run = partial(held_out.loss, piece)
                skipped, tokens = [plan.skipped for plan in plans], [plan.tokens for plan in plans]
                for number, loss in evaluate_each(model, skipped, run, tokens=tokens):
                    found[number].append(loss)
        return [weighted_mean(losses, weights) for losses in found]

    def _row(self, plan: Plan, loss: float, regret: float) -> StrategyRow:
        report, warm = plan.report, self.warm_up
        took = (report and report.comparisons) or Comparisons()
        whole = (warm.seconds or 0.0) / warm.steps * (warm.training_steps or warm.steps)
        cost = took.seconds / whole if whole else 0.0
        tokens = None if plan.tokens is None else str(plan.tokens)
        return StrategyRow(plan.strategy, plan.skipped, loss, took.subnetworks, took.seconds, cost, regret, tokens)
