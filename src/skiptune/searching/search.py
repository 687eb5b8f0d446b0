"""Run the search: train adapters on drawn subnetworks, let the strategy compare some of them, return the plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import nn

from ..core.arguments import expect
from ..core.distributed import on_main
from ..core.errors import InputError
from ..costs.example_inputs import example_inputs
from ..data.splits import check_disjoint
from ..experiment import Experiment
from ..families.registry import family_of
from ..inserting.selection import blocks_of, choose
from ..plan import Plan, SearchReport
from ..tasks.replacing import DAMAGED_LOG, replacing_damaged
from ..training.fit import train_loop
from ..training.progress_bar import TrainingBar
from ..training.schedule import Stretch
from ..training.trained_state import load_trained, trained_state
from .budget import savings_of, timed_once
from .callback import SearchCallback
from .evaluator import Evaluator
from .search_schedule import reward_batch_size, schedule
from .strategies import STRATEGIES, Strategy


def search(
    model: nn.Module, experiment: Experiment, folder: str | Path | None = None, keep_adapters: bool = True
) -> Plan:
    """Find the blocks the task can do without (paper, section 3.3).

    A departure from the paper: the search is the first part of the training. Its steps have the same learning-rate
    schedule, the adapters keep what they learn in them, and :func:`skiptune.fit` continues from there, so that only the
    comparisons cost something.

    Args:
        model: a model with adapters inserted.
        experiment: task, records, budget and settings.
        folder: for checkpoints; call again with the same folder to go on after an interruption.
        keep_adapters: keep what the search trained in the model, to continue from there. Otherwise the model is
            restored, for the paper's restart from the pre-trained weights, and the search has a learning-rate schedule
            of its own.

    Returns:
        The plan, with preferences and the ``report`` of how it was found.

    Raises:
        InputError: no budget or one that cannot be met, fewer distinct subnetworks than candidates, an empty part, an
            image in both parts, or too many images that cannot be read.
        RunError: a loss is not finite.
    """
    expect("search", model=(model, nn.Module), experiment=(experiment, Experiment))
    with TemporaryDirectory() as scratch:
        where = Path(folder) if folder is not None else Path(scratch)
        parts = (experiment.train, experiment.valid)
        with replacing_damaged(experiment.task, *parts, log=where / DAMAGED_LOG) as (task, _):
            return _search(model, replace(experiment, task=task), folder, where, keep_adapters)


def _search(
    model: nn.Module, experiment: Experiment, folder: str | Path | None, where: Path, keep_adapters: bool
) -> Plan:
    """See :func:`search`; checkpoints go to ``where``."""
    config, training = experiment.search, experiment.training
    train, valid = experiment.train, experiment.valid
    names, family = tuple(blocks_of(model)), family_of(model).name
    strategy = prepare_search(model, experiment, None if folder is None else Path(folder))
    if not train or not valid:
        raise InputError(f"the search needs training and validation records; got {len(train)} and {len(valid)}")
    check_disjoint({"train": train, "validation": valid})
    if strategy.feasible.number == 0:
        return Plan(family, names, (), "none")
    report = SearchReport(
        seed=training.seed,
        budget=experiment.budget,
        allowance=savings_of(strategy.feasible, names),
        search=config,
        seconds=0.0,
        rounds=(),
    )
    if not strategy.trains:
        return Plan(family, names, strategy.chosen(), strategy.name, report=report)
    reward_batch = reward_batch_size(config, training)
    evaluator = Evaluator(model, experiment, reward_batch)
    times = schedule(config, training, len(train), reward_batch)
    callback = SearchCallback(strategy, evaluator, times.warmup, times.interval, config.draw)
    before = trained_state(model)
    whole = max(times.whole, times.steps) if keep_adapters else times.steps
    stretch = Stretch(0, times.steps, whole, training.warmup_ratio, searching=times.steps)
    log = train_loop(model, experiment, stretch, where, TrainingBar("searching", callback.note), [callback])
    # a resumed search keeps the size of its held-out batches, even if the batch is split otherwise now
    times = schedule(config, training, len(train), evaluator.batch_size)
    rounds = callback.rounds + strategy.decide(evaluator, times.rounds)
    if not keep_adapters:
        load_trained(model, before)
    choose(model, ())
    report = report.replace(
        seconds=log.seconds,
        steps=log.steps,
        training_steps=times.whole,
        comparisons=evaluator.comparisons,
        rounds=tuple(rounds),
        history=log.history,
        certainty=strategy.certainty(),
    )
    preferences = dict(zip(names, strategy.preferences, strict=True))
    return Plan(family, names, strategy.chosen(), strategy.name, preferences, report)


def prepare_search(model: nn.Module, experiment: Experiment, folder: Path | None) -> Strategy:
    """Make the strategy for the experiment's budget; refuses settings that cannot work before any training.

    For a latency budget, blocks are timed once; ``allowance.json`` in ``folder`` keeps the result.

    Raises:
        InputError: there is no budget, it cannot be met, or there are fewer distinct subnetworks than candidates.
    """
    budget, config = experiment.needed_budget, experiment.search
    usual = family_of(model).sizes(model.config)
    inputs = example_inputs(model, (usual.image_size, usual.image_size), usual.text_length)
    feasible = on_main(lambda: timed_once(folder and folder / "allowance.json", model, budget, inputs))
    strategy = STRATEGIES[config.strategy](feasible, config, experiment.training.seed, tuple(blocks_of(model)))
    if feasible.number != 0:
        strategy.check()
    return strategy
