"""Several strategies side by side: what each would skip, what that took, and how good it is by one yardstick."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from ..config import SearchConfig
from ..core.files import read_json, write_atomically, write_json
from ..core.progress import track
from ..experiment import Experiment
from ..families.registry import family_of
from ..inserting.selection import blocks_of
from ..plan import Plan
from ..tasks.task import on_device
from ..training.trained_state import load_trained, read_trained, trained_state
from .evaluator import Trial
from .prefix_sharing import evaluate_each
from .search import prepare_search, search
from .search_schedule import reward_batch_size, schedule
from .strategies import STRATEGIES

#: Held-out records that plans are judged on, at most.
_JUDGED = 1024


class StrategyComparison:
    """Searches with several strategies, each step kept in ``folder`` and not done twice.

    Strategies that look only once share one warm-up on evenly drawn subnetworks; those that look during the training
    get a search of their own. All plans are then judged on the warmed-up adapters, which were trained for none of
    them, by the loss on up to 1,024 held-out records.

    Args:
        make: the pre-trained model with fresh adapters, the same at every call.
        experiment: as for :func:`skiptune.search`; the strategies take the place of its own.
        folder: for everything this leaves.
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

    def rows(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """One row a strategy, the best first, as JSON values; also in ``compare.json``.

        ``loss`` is the yardstick's, ``regret`` how far it lies above the best of all, ``subnetworks`` and ``seconds``
        what was compared for it, ``cost`` that time as a share of what the whole training takes.
        """
        fresh = self.make()
        for name in names:  # refuses what cannot work before any of them begins
            prepare_search(fresh, self._with(name), self.folder)
        warm = self._warm()
        plans = {name: self._plan(name, warm) for name in names}
        losses = self._judge(warm, [plan.skipped for plan in plans.values()])
        rows = [
            {"strategy": name, "skipped": list(plan.skipped), "loss": loss, **self._cost(plan)}
            for (name, plan), loss in zip(plans.items(), losses, strict=True)
        ]
        least = min(losses)
        rows = sorted(({**row, "regret": row["loss"] - least} for row in rows), key=lambda row: float(row["loss"]))
        write_json(self.folder / "compare.json", {"rows": rows, "budget": self.experiment.needed_budget.to_dict()})
        return rows

    @property
    def warm_steps(self) -> int:
        """Optimizer steps of the shared warm-up, once it is done."""
        return int(read_json(self.folder / "warm.json")["steps"])

    def _warm(self) -> nn.Module:
        """The model with adapters trained on evenly drawn subnetworks."""
        path, model = self.folder / "warm.safetensors", self.make()
        if not path.is_file():
            plan = self._search(model, "influence", self.folder / "warm")  # looks once, at the end
            took = {"seconds": plan.details["seconds"], "steps": plan.steps, "of": plan.details["of"]}
            write_json(self.folder / "warm.json", took)  # first: the adapters say that the warm-up is done
            write_atomically(path, lambda partial: save_file(trained_state(model), partial))
        load_trained(model, read_trained(path), str(path))
        return model

    def _plan(self, name: str, warm: nn.Module) -> Plan:
        path = self.folder / f"{name}.json"
        if not path.is_file():
            kind = STRATEGIES[name]
            if kind.looks or not kind.trains:
                plan = self._search(self.make(), name, self.folder / name)
            else:
                plan = self._decide(name, warm)
            plan.save(path)
        return Plan.load(path)

    def _search(self, model: nn.Module, name: str, folder: Path) -> Plan:
        with self.inside(model):
            return search(model, self._with(name), folder)

    def _with(self, strategy: str) -> Experiment:
        """The experiment with another strategy."""
        config = SearchConfig.from_dict({**self.experiment.search.to_dict(), "strategy": strategy})
        return replace(self.experiment, search=config)

    def _decide(self, name: str, model: nn.Module) -> Plan:
        """The choice of a strategy that looks once, on the warmed-up ``model``."""
        experiment, names = self._with(name), tuple(blocks_of(model))
        training = experiment.training
        strategy = prepare_search(model, experiment, self.folder)
        batch = reward_batch_size(experiment.search, training)
        trial = Trial(model, names, experiment.valid, experiment.task.collate, batch, training.seed)
        times = schedule(experiment.search, training, len(experiment.train), batch)
        with self.inside(model):
            noted = strategy.decide(trial, times.rounds)
        skipped = tuple(trial.named(strategy.best()))
        warm = read_json(self.folder / "warm.json")
        took = {"steps": warm["steps"], "seconds": warm["seconds"], "comparisons": trial.account()}
        details = {**took, "rounds": noted, **strategy.summary()}
        preferences = dict(zip(names, strategy.preferences, strict=True))
        return Plan(family_of(model).name, names, skipped, name, preferences, details)

    @torch.no_grad()
    def _judge(self, model: nn.Module, plans: Sequence[Sequence[str]]) -> list[float]:
        model.eval()
        task, valid = self.experiment.task, self.experiment.valid
        size, total = self.experiment.training.batch_size, [0.0] * len(plans)
        count = min(_JUDGED, len(valid))
        with self.inside(model):
            for start in track(range(0, count, size), "judging"):
                part = [valid[row] for row in range(start, min(start + size, count))]
                batch = on_device(task.collate(part), model)
                for number, output in evaluate_each(model, plans, batch):
                    total[number] += float(output.loss) * len(part)
        return [value / count for value in total]

    def _cost(self, plan: Plan) -> dict[str, Any]:
        took = plan.details.get("comparisons", {"subnetworks": 0, "seconds": 0.0})
        warm = read_json(self.folder / "warm.json")
        whole = warm["seconds"] / warm["steps"] * warm["of"]
        return {"subnetworks": took["subnetworks"], "seconds": took["seconds"], "cost": took["seconds"] / whole}
