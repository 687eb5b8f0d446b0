"""How good are the plans that searches find, and what do they cost?

    python benchmarks/search_quality.py [--datasets easy-vqa daquar] [--skip 4 2] [--seeds 5] [--random 20] [--jobs 2]
        [--strategies default]

Against the landscape of ``benchmarks/landscape.py``, which knows every plan, stand the plans of every strategy,
searched anew with several seeds. Then plans are trained to the end: 20 random ones and those of the strategies, each
with three seeds, all from the same warmed-up adapters. Everything is resumable; what is finished is only read, from the
results where the files of an earlier run are gone. ``--strategies`` searches anew with these only. Writes
``benchmarks/results/search_quality.json``, the landscape's means beside it in ``search_landscape.json``, and figures.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from landscape import ALL_STEPS, DATASETS, RUNS, SEARCH_STEPS, TRAIN, Setting, landscape, setting, warm_up
from search_figures import draw
from search_statistics import agreement, mean_of, rank_correlation, standard_error
from skiptune import Experiment
from skiptune.config import Budget, SearchConfig
from skiptune.core.files import write_json
from skiptune.core.process import keep_freed_memory, quiet_libraries, versions
from skiptune.core.text_files import read_json
from skiptune.inserting.selection import blocks_of
from skiptune.plan import Plan
from skiptune.searching.evaluator import Evaluator
from skiptune.searching.feasible_sets import FeasibleSets
from skiptune.searching.held_out import HeldOut
from skiptune.searching.search import search
from skiptune.searching.search_schedule import schedule
from skiptune.searching.strategies import STRATEGIES
from skiptune.searching.training_length import TrainingLength
from skiptune.tasks.evaluation import evaluate
from skiptune.training.fit import fit

RESULTS = Path(__file__).parent / "results"
#: Strategies by their name here. All but the paper's choose once, after the warm-up that the landscape was recorded
#: with; seeds change what they draw and look at. ``default_own`` has a warm-up of its own for every seed.
STRATEGY = {"default": "bandit", "paper": "policy", "default_own": "bandit"}
RIVALS = ("random", "first", "last", "even", "influence", "first_order", "leave_one_out", "greedy")
NAMES = (*STRATEGY, *RIVALS)
PAPER = SearchConfig.paper().replace(epochs=None, warmup_epochs=None, max_steps=SEARCH_STEPS, draw="step")
FINAL_SEEDS = (0, 1, 2)
#: Of these strategies so many plans are trained to the end, of the others one.
_ALL = {"default": 5, "paper": 5}


def kept(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The JSON at ``path``, made if it is not there."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, make())
    found: dict[str, Any] = read_json(path)
    return found


def found_plan(dataset: str, count: int, strategy: str, seed: int) -> dict[str, Any]:
    """What a strategy skips, and the work of search and training over that of the training alone; a training step is
    two forward passes' work.
    """

    def make() -> dict[str, Any]:
        made = setting(dataset)
        return released(made, count, seed) if strategy == "paper" else warmed(made, strategy, count, seed)

    return kept(RUNS / dataset / "plans" / f"{count}-{strategy}-{seed}.json", make)


def released(made: Setting, count: int, seed: int) -> dict[str, Any]:
    """The paper's policy, which compares while it trains, and whose training starts again."""
    model, training = made.model(0), TRAIN.replace(seed=seed, max_steps=ALL_STEPS)
    experiment = Experiment(made.task, made.train, made.rewards, Budget(num_skip=count), PAPER, training)
    plan = search(model, experiment, keep_adapters=False)
    assert plan.report is not None and plan.report.comparisons is not None  # noqa: PT018
    examples = plan.report.comparisons.examples
    return {
        "skipped": [int(name) for name in plan.skipped],
        "preferences": list((plan.preferences or {}).values()),
        "cost_ratio": 1 + SEARCH_STEPS / ALL_STEPS + examples / (2 * TRAIN.batch_size * ALL_STEPS),
    }


def warmed(made: Setting, name: str, count: int, seed: int) -> dict[str, Any]:
    """A strategy that chooses once, from warmed-up adapters."""
    model = warm_up(made, count, seed if name == "default_own" else 0)
    names = tuple(blocks_of(model))
    config = SearchConfig(strategy=STRATEGY.get(name, name), max_steps=SEARCH_STEPS)  # type: ignore[arg-type]
    strategy = STRATEGIES[config.strategy](FeasibleSets.of_number(len(names), count), config, seed, names)
    batch = round(TRAIN.batch_size * strategy.batch_share)
    training = TRAIN.replace(seed=seed, max_steps=ALL_STEPS)
    experiment = Experiment(made.task, made.train, made.rewards, training=training)
    evaluator = Evaluator(HeldOut.of(model, experiment, RUNS), batch)
    rounds = schedule(config, TrainingLength.of(training, len(made.train)), batch).rounds
    found = strategy.decide(evaluator, rounds)
    return {
        "skipped": list(strategy.best()),
        "preferences": strategy.preferences,
        "cost_ratio": 1 + evaluator.comparisons.examples / (2 * TRAIN.batch_size * ALL_STEPS),
        "curve": [[number, *entry.preferences] for number, entry in enumerate(found, 1)],
        **(certainty.to_dict() if (certainty := strategy.certainty()) else {}),
    }


def trained(dataset: str, blocks: tuple[int, ...], seed: int) -> dict[str, Any]:
    """Accuracy and loss of a plan after the rest of the training."""

    def make() -> dict[str, Any]:
        made = setting(dataset)
        model = warm_up(made, len(blocks), seed)
        names = tuple(blocks_of(model))
        plan = Plan("vilt", names, tuple(names[block] for block in blocks))
        training = TRAIN.replace(seed=seed, max_steps=ALL_STEPS)
        fit(model, Experiment(made.task, made.train, training=training), plan, done=SEARCH_STEPS)
        result = evaluate(model, made.task, made.judge)
        return {"accuracy": result.headline, "loss": result.loss}

    return kept(RUNS / dataset / "trained" / f"{'-'.join(map(str, blocks))}-{seed}.json", make)


def random_plans(count: int, number: int) -> list[tuple[int, ...]]:
    """Plans drawn once and for all."""
    plans = list(combinations(range(12), count))
    return [plans[row] for row in np.random.default_rng(count).permutation(len(plans))[:number]]


def work(function: str, *args: Any) -> None:
    """One job of the pool."""
    quiet_libraries()
    keep_freed_memory()
    torch.set_num_threads(1)
    {"plan": found_plan, "trained": trained}[function](*args)


@dataclass(frozen=True)
class Means:
    """What all plans come to on the landscape.

    Attributes:
        sets: the plans.
        loss, accuracy: theirs, means over ``questions``, ``(plans,)``.
        best_accuracy: of the best of them, see :func:`best_accuracy`.
    """

    sets: list[tuple[int, ...]]
    loss: Any
    accuracy: Any
    best_accuracy: float
    questions: int

    @classmethod
    def of(cls, dataset: str, count: int) -> Means | None:
        """From the landscape's file, or from the results where that is gone; ``None``: neither is there."""
        path = RUNS / dataset / f"landscape-{count}-0.npz"
        if path.is_file():
            found = np.load(path)
            sets = [tuple(int(block) for block in row) for row in found["sets"]]
            losses, scores = found["losses"], found["scores"]
            return cls(sets, losses.mean(1), scores.mean(1), best_accuracy(scores), losses.shape[1])
        path = RESULTS / "search_landscape.json"
        kept = read_json(path).get(dataset, {}).get(str(count)) if path.is_file() else None
        if kept is None:
            return None
        sets = [tuple(blocks) for blocks in kept["sets"]]
        return cls(sets, np.array(kept["loss"]), np.array(kept["accuracy"]), kept["best_accuracy"], kept["questions"])

    def to_dict(self) -> dict[str, Any]:
        return {
            "sets": [list(blocks) for blocks in self.sets],
            "loss": self.loss.round(5).tolist(),
            "accuracy": self.accuracy.round(5).tolist(),
            "best_accuracy": self.best_accuracy,
            "questions": self.questions,
        }


def strategy_rows(dataset: str, count: int, seeds: int, means: Means) -> dict[str, Any]:
    """Every strategy against the landscape."""
    losses, accuracy, sets, best = means.loss, means.accuracy, means.sets, means.best_accuracy
    recorded = recorded_rows(dataset, count)
    skipped = np.array([[block in one for block in range(12)] for one in sets])
    value = np.array([losses[~skipped[:, block]].mean() - losses[skipped[:, block]].mean() for block in range(12)])
    rows = {}
    for name in NAMES:
        plans = [read_plan(dataset, count, name, seed) for seed in range(seeds)]
        plans = [plan for plan in plans if plan]
        chosen = chosen_plans(dataset, count, name, seeds)
        if not chosen:
            continue
        numbers = [sets.index(plan) for plan in chosen]
        ended = [end for plan in chosen if (end := final(dataset, plan)) is not None]
        regret = [best - float(accuracy[number]) for number in numbers]
        against = {
            "regret_mean": statistics.mean(regret),
            "regret_se": standard_error(regret),
            "regret_to_luckiest_mean": statistics.mean(float(accuracy.max() - accuracy[number]) for number in numbers),
            "loss_regret_mean": float(np.mean([losses[number] - losses.min() for number in numbers])),
            "percentile_mean": float(np.mean([100 * (losses < losses[number]).mean() for number in numbers])),
            "final_accuracy_mean": mean_of(ended),
            "final_accuracy_se": standard_error(ended),
            "final_plans": len(ended),
        }
        if not plans:  # recorded by an earlier run, whose files are gone
            rows[name] = {**recorded[name], **against}
            continue
        ranks = [rank_correlation(plan["preferences"], value) for plan in plans if np.ptp(plan["preferences"]) > 0]
        rows[name] = {
            **against,
            "cost_ratio": statistics.mean(plan["cost_ratio"] for plan in plans),
            "agreement": agreement([set(plan["skipped"]) for plan in plans]),
            "rank_correlation": statistics.mean(ranks) if ranks else None,
            "likely_sets": statistics.mean(plan["likely"] for plan in plans) if "likely" in plans[0] else None,
            "plans": [plan["skipped"] for plan in plans],
            "curve": plans[0].get("curve"),
            "seeds": len(plans),
        }
    return rows


def best_accuracy(scores: Any, splits: int = 100) -> float:
    """Accuracy of the best plan, from ``(plans, questions)`` of scores: chosen on one half of the questions, measured
    on the other, a mean over many halves.

    The highest of hundreds of accuracies on the questions it was chosen by is that of the luckiest plan, not of the
    best: on DAQUAR, where the accuracies of all plans lie within three of their standard errors, all of a regret
    against it is luck.
    """
    found = []
    for split in range(splits):
        halves = np.array_split(np.random.default_rng(split).permutation(scores.shape[1]), 2)
        for one, other in (halves, halves[::-1]):
            found.append(float(scores[scores[:, one].mean(1).argmax()][other].mean()))
    return statistics.mean(found)


def recorded(part: str, dataset: str, count: int) -> dict[str, Any]:
    """What the results as they are say of one data set and size."""
    path = RESULTS / "search_quality.json"
    found = read_json(path)[part].get(dataset, {}).get(str(count), {}) if path.is_file() else {}
    return found  # type: ignore[no-any-return]


def recorded_rows(dataset: str, count: int) -> dict[str, Any]:
    """The rows of the results as they are, by strategy."""
    return recorded("datasets", dataset, count)


def chosen_plans(dataset: str, count: int, name: str, seeds: int) -> list[tuple[int, ...]]:
    """What a strategy skips, seed by seed; from the results where an earlier run's files are gone."""
    plans = [plan["skipped"] for seed in range(seeds) if (plan := read_plan(dataset, count, name, seed))]
    return [tuple(plan) for plan in plans or recorded_rows(dataset, count).get(name, {"plans": []})["plans"]]


def plans_to_train(dataset: str, count: int, seeds: int, number: int) -> list[tuple[int, ...]]:
    """Random plans, all of ours and the paper's, and the first of every rival."""
    rivals = [plan for name in NAMES for plan in chosen_plans(dataset, count, name, seeds)[: _ALL.get(name, 1)]]
    return list(dict.fromkeys([*rivals, *random_plans(count, number)]))


def read_plan(dataset: str, count: int, name: str, seed: int) -> dict[str, Any] | None:
    path = RUNS / dataset / "plans" / f"{count}-{name}-{seed}.json"
    return read_json(path) if path.is_file() else None  # type: ignore[no-any-return]


def finals(dataset: str, blocks: tuple[int, ...]) -> list[float]:
    """Accuracies after training to the end, seed by seed: of this run, or recorded."""
    found = dict(enumerate(recorded_finals(dataset, len(blocks)).get(blocks, [])))
    for seed in FINAL_SEEDS:
        path = RUNS / dataset / "trained" / f"{'-'.join(map(str, blocks))}-{seed}.json"
        found |= {seed: read_json(path)["accuracy"]} if path.is_file() else {}
    return [found[seed] for seed in sorted(found)]


def recorded_finals(dataset: str, count: int) -> dict[tuple[int, ...], list[float]]:
    """Those of the results as they are, by plan."""
    plans = recorded("final", dataset, count).get("plans", [])
    return {tuple(row["skipped"]): row["final_accuracy"] for row in plans}


def final(dataset: str, blocks: tuple[int, ...]) -> float | None:
    """Their mean; ``None`` before there are any."""
    return mean_of(finals(dataset, blocks))


def ends(dataset: str, count: int, number: int, means: Means) -> dict[str, Any]:
    """Does the landscape predict what users get?"""
    here = {path.stem.rpartition("-")[0] for path in (RUNS / dataset / "trained").glob("*.json")}
    plans = {tuple(map(int, plan.split("-"))) for plan in here} | recorded_finals(dataset, count).keys()
    rows = [
        {
            "skipped": list(blocks),
            "loss_after_search": float(means.loss[means.sets.index(blocks)]),
            "accuracy_after_search": float(means.accuracy[means.sets.index(blocks)]),
            "final_accuracy": finals(dataset, blocks),
            "random": blocks in random_plans(count, number),
        }
        for blocks in sorted(plans)
        if len(blocks) == count
    ]
    if len(rows) < 3:
        return {"plans": rows}
    before = [row["loss_after_search"] for row in rows]
    after = [statistics.mean(row["final_accuracy"]) for row in rows]
    chosen = [row["random"] for row in rows]
    sd = [statistics.stdev(row["final_accuracy"]) for row in rows if len(row["final_accuracy"]) > 1]
    return {
        "correlation": float(np.corrcoef(before, after)[0, 1]),
        "spearman": rank_correlation([-value for value in before], np.array(after)),
        "spearman_random_plans": rank_correlation(
            [-value for value, drawn in zip(before, chosen, strict=True) if drawn],
            np.array([value for value, drawn in zip(after, chosen, strict=True) if drawn]),
        ),
        "random_mean": mean_of([value for value, drawn in zip(after, chosen, strict=True) if drawn]),
        "best": max(after),
        "sd_over_seeds": mean_of(sd),
        "plans": rows,
    }


def summarize(options: argparse.Namespace, command: str) -> None:
    """Write what there is, of all data sets and sizes."""
    result: dict[str, Any] = {"datasets": {}, "final": {}}
    landscapes: dict[str, Any] = {}
    for dataset in DATASETS:
        for count in range(1, 12):
            means = Means.of(dataset, count)
            if means is None:
                continue
            result["datasets"].setdefault(dataset, {})[str(count)] = strategy_rows(dataset, count, options.seeds, means)
            result["final"].setdefault(dataset, {})[str(count)] = ends(dataset, count, options.random, means)
            landscapes.setdefault(dataset, {})[str(count)] = means.to_dict()
    steps = {"search": SEARCH_STEPS, "all": ALL_STEPS, "train": TRAIN.to_dict()}
    common = {"command": command, "versions": versions(), "steps": steps}
    write_json(RESULTS / "search_quality.json", {**result, **common})
    write_json(RESULTS / "search_landscape.json", {**landscapes, **common})
    draw(result, landscapes, RESULTS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", nargs="+", default=list(DATASETS), choices=DATASETS)
    parser.add_argument("--skip", type=int, nargs="+", default=[4, 2])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--random", type=int, default=20)
    parser.add_argument("--train-skip", type=int, nargs="*", default=[4], help="plans of these sizes are trained on")
    parser.add_argument("--strategies", nargs="+", default=list(NAMES), choices=NAMES)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    command = shlex.join(["python", "benchmarks/search_quality.py", *sys.argv[1:]])
    for dataset in options.datasets:
        for count in options.skip:
            if Means.of(dataset, count) is None:
                landscape(dataset, count)
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:

        def carry_out(jobs: list[tuple[Any, ...]]) -> None:
            for number, job in enumerate(as_completed([pool.submit(work, *job) for job in jobs]), 1):
                job.result()
                print(f"{number} of {len(jobs)}", flush=True)
                summarize(options, command)

        each = [(dataset, count) for count in options.skip for dataset in options.datasets]
        names = options.strategies
        carry_out([("plan", *one, name, seed) for name in names for one in each for seed in range(options.seeds)])
        for seed in FINAL_SEEDS:
            jobs = [
                ("trained", dataset, plan, seed)
                for dataset in options.datasets
                for count in options.train_skip
                for plan in plans_to_train(dataset, count, options.seeds, options.random)
                if seed >= len(recorded_finals(dataset, count).get(plan, []))
            ]
            carry_out(jobs)
    summarize(options, command)


if __name__ == "__main__":
    main()
