"""Searches on SmolLM2-135M, replayed on the recorded losses of ``benchmarks/landscape_smollm2.py``.

Every strategy starts from the same warmed-up LoRA and looks at the searches' texts only; its plan's place is that on
the judge's texts. Ours, the paper's policy, greedy and leave-one-out read recorded losses, and have the same number of
layer evaluations: 32 rounds of 8 candidates on 8 texts. Those that do not compare losses run the model: ShortGPT
(``influence``), ``angular`` and ``gate_probe`` on 128 texts. They cost less; ``steady`` says whether half of the texts
would have led to the same plan. Their seeds only order the texts. ``random`` is the mean over all plans.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from transformers import Trainer

from skiptune import SearchConfig, blocks_of
from skiptune.core.files import write_json
from skiptune.core.text_files import read_json
from skiptune.searching.evaluator import Evaluator
from skiptune.searching.feasible_sets import Candidate, FeasibleSets
from skiptune.searching.held_out import HeldOut
from skiptune.searching.strategies import STRATEGIES

ROUNDS, CANDIDATES, BATCH, SKIP = 32, 8, 8, 2
#: Held-out batches of strategies that compare once, for about the layer evaluations of our rounds.
BATCHES = {"greedy": 4, "leave_one_out": 8, "influence": 16, "angular": 16, "gate_probe": 16}
RUN = ("influence", "angular", "gate_probe")
SEARCHES = ("bandit", "policy", *BATCHES)


@dataclass(frozen=True)
class Table:
    """Recorded losses.

    Attributes:
        sets: skipped layers → row.
        losses: sums over the scored tokens of every text, ``(sets, texts)``.
        tokens: how many these are, ``(texts,)``.
        seconds: that measuring took.
    """

    sets: Mapping[Candidate, int]
    losses: np.ndarray
    tokens: np.ndarray
    seconds: float

    @classmethod
    def of(cls, files: Sequence[Path], sets: Sequence[Candidate]) -> Table:
        """From the files of the batches, in their order."""
        parts = [np.load(file) for file in files]
        return cls(
            {one: row for row, one in enumerate(sets)},
            np.concatenate([part["losses"] for part in parts], axis=1),
            np.concatenate([part["tokens"] for part in parts]),
            float(sum(part["seconds"] for part in parts)),
        )

    def mean(self, skipped: Candidate, texts: Any = slice(None)) -> float:
        """The mean over tokens of some texts."""
        return float(self.losses[self.sets[skipped]][texts].sum() / self.tokens[texts].sum())

    def plans(self, count: int) -> dict[Candidate, float]:
        """Every plan of so many layers, and its loss."""
        return {one: self.mean(one) for one in self.sets if len(one) == count}


class Recorded(Evaluator):
    """Reads the losses of subnetworks that were recorded; what else a strategy measures, it runs the model for."""

    def __init__(self, held_out: HeldOut, batch_size: int, table: Table) -> None:
        super().__init__(held_out, batch_size)
        self.table = table

    def losses(self, candidates: Sequence[Candidate], number: int) -> list[float]:
        """Of every candidate on held-out batch ``number``."""
        rows = self.held_out.rows_of(number, self.batch_size)
        self.add(len(candidates))
        return [self.table.mean(candidate, rows) for candidate in candidates]


def chosen(name: str, seed: int, trainer: Trainer, rows: list[Any], table: Table | None, batches: int) -> Any:
    """The strategy after it has chosen, and the texts that it ran forward passes for."""
    names = tuple(blocks_of(trainer.model))
    config = SearchConfig(strategy=name, candidates=CANDIDATES, batches=batches)  # type: ignore[arg-type]
    strategy = STRATEGIES[name](FeasibleSets.of_number(len(names), SKIP), config, seed, names)
    held_out = HeldOut(trainer, rows, seed)
    evaluator = Evaluator(held_out, BATCH) if table is None else Recorded(held_out, BATCH, table)
    if strategy.compares_while_training:
        for step in range(ROUNDS):
            strategy.compare(evaluator, step)
    else:
        strategy.decide(evaluator, ROUNDS)
    return strategy, evaluator.comparisons.examples


def found(name: str, seed: int, trainer: Trainer, rows: Any, table: Table, folder: Path) -> dict[str, Any]:
    """What a strategy skips; kept, so that an interrupted benchmark goes on."""
    path = folder / f"plan-{name}-{seed}.json"
    if not path.is_file():
        most = BATCHES.get(name, 4)
        if name in RUN:
            strategy, examples = chosen(name, seed, trainer, rows.rewards, None, most)
            half, _ = chosen(name, seed, trainer, rows.rewards, None, most // 2)
            more = {"steady": strategy.best() == half.best()}
        else:
            pool = rows.rewards[: len(table.tokens)]
            strategy, examples = chosen(name, seed, trainer, pool, table, most)
            more = {}
        write_json(path, {"skipped": list(strategy.best()), "examples": examples, **more})
    content: dict[str, Any] = read_json(path)
    return content


def replayed(trainer: Trainer, rows: Any, tables: Mapping[str, Table], seeds: int, folder: Path) -> dict[str, Any]:
    """The landscape, and every strategy's place in it."""
    judge, rewards = tables["judge"], tables["rewards"]
    plans = judge.plans(SKIP)
    order = sorted(plans, key=lambda one: plans[one])
    best = plans[order[0]]
    losses = np.array(list(plans.values()))
    strategies = {
        name: place([found(name, seed, trainer, rows, rewards, folder) for seed in range(seeds)], plans, judge)
        for name in SEARCHES
    }
    strategies["random"] = {
        "regret_mean": float(losses.mean() - best),
        "percentile_mean": 50.0,
        "rank_mean": (len(plans) + 1) / 2,
    }
    return {
        "judge": {"texts": len(judge.tokens), "tokens": int(judge.tokens.sum())},
        "rewards": {"texts": len(rewards.tokens), "tokens": int(rewards.tokens.sum())},
        "nothing_skipped": judge.mean(()),
        "best": {"skipped": list(order[0]), "loss": best},
        "median": float(np.median(losses)),
        "worst": float(losses.max()),
        "strategies": strategies,
        "correlation": float(np.corrcoef(ranks(losses), ranks(np.array(list(rewards.plans(SKIP).values()))))[0, 1]),
        "seconds": round(judge.seconds + rewards.seconds),
        "plans": [{"skipped": list(one), "loss": round(plans[one], 5)} for one in order],
    }


def place(found: Sequence[dict[str, Any]], plans: Mapping[Candidate, float], judge: Table) -> dict[str, Any]:
    """Ranks from 1, percentile (how many plans of a hundred are better) and regret of plans, one a seed."""
    losses = np.array(list(plans.values()))
    skipped = [tuple(one["skipped"]) for one in found]
    own = np.array([plans[one] for one in skipped])
    better = np.array([(losses < loss).sum() for loss in own])
    return {
        "plans": [list(one) for one in skipped],
        "ranks": (better + 1).tolist(),
        "rank_mean": float(better.mean() + 1),
        "percentile_mean": float(100 * better.mean() / len(plans)),
        "regret_mean": float(own.mean() - losses.min()),
        "regrets": (own - losses.min()).tolist(),
        "regret_se_of_texts": float(np.mean([standard_error(judge, one, plans) for one in skipped])),
        "examples": found[0]["examples"],
        **({"steady": all(one["steady"] for one in found)} if "steady" in found[0] else {}),
    }


def standard_error(judge: Table, skipped: Candidate, plans: Mapping[Candidate, float]) -> float:
    """Of a plan's regret, over the judge's texts."""
    best = min(plans, key=lambda one: plans[one])
    differences = judge.losses[judge.sets[skipped]] - judge.losses[judge.sets[best]]
    mean = differences.sum() / judge.tokens.sum()
    rest = differences - mean * judge.tokens
    return float(np.sqrt((rest**2).sum() * len(rest) / (len(rest) - 1)) / judge.tokens.sum())


def ranks(values: np.ndarray) -> np.ndarray:
    """Of every value among all."""
    return np.argsort(np.argsort(values))
