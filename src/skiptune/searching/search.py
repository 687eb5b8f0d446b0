"""Run the search: train adapters on drawn subnetworks, let the strategy compare some of them, return the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from torch import nn
from transformers import TrainerCallback, TrainerState, TrainingArguments

from ..core.arguments import expect
from ..core.distributed import on_main
from ..core.errors import InputError
from ..costs.example_inputs import Inputs, example_inputs
from ..data.splits import check_disjoint
from ..experiment import Experiment
from ..inserting.selection import blocks_of, choose
from ..plan import Plan
from ..tasks.input_size import input_size
from ..tasks.replacing import DAMAGED_LOG, replacing_damaged
from ..training.callback_states import check_callbacks
from ..training.dataset import RecordDataset
from ..training.fit import train_loop
from ..training.machine import check_machine
from ..training.progress_bar import TrainingBar
from ..training.schedule import Stretch
from ..training.trained_state import load_trained, trained_state
from .budget import subnetworks_of
from .evaluator import Evaluator
from .found_plan import begun_report, found_plan
from .held_out import HeldOut
from .nested import nested_order
from .protected import protected_blocks
from .saved_search import SavedSearch
from .search_schedule import held_out_batch, schedule
from .skip_search import SkipSearch
from .strategies import Strategy, make_strategy
from .training_length import TrainingLength


def search(
    model: nn.Module,
    experiment: Experiment,
    folder: str | Path | None = None,
    keep_adapters: bool = True,
    callbacks: Sequence[TrainerCallback] = (),
) -> Plan:
    """Find the blocks the task can do without (paper, section 3.3), by :class:`skiptune.SkipSearch`.

    A departure from the paper: the search is the first part of the training. Its steps have the same learning-rate
    schedule, the adapters keep what they learn in them, and :func:`skiptune.fit` with the same ``folder`` goes on with
    the same optimizer and order of the data, so that only the comparisons cost something.

    Args:
        model: a model with adapters inserted.
        experiment: task, records, budget and settings.
        folder: for checkpoints; call again with the same folder to go on after an interruption.
        keep_adapters: keep what the search trained in the model, to continue from there. Otherwise the model is
            restored, for the paper's restart from the pre-trained weights, and the search has a learning-rate schedule
            of its own.
        callbacks: of transformers' Trainer, as those of :func:`skiptune.fit`.

    Returns:
        The plan, with preferences and the ``report`` of how it was found.

    Raises:
        InputError: no budget or one that cannot be met, fewer distinct subnetworks than candidates, an empty part, an
            image in both parts, a setting that cannot work on this machine, or too many images that cannot be read.
        RunError: a loss is not finite.
    """
    expect("search", model=(model, nn.Module), experiment=(experiment, Experiment))
    check_callbacks(callbacks, experiment.training)
    check_machine(experiment.training)  # before blocks are timed
    with TemporaryDirectory() as scratch:
        where = Path(folder) if folder is not None else Path(scratch)
        parts = (experiment.train, experiment.valid)
        with replacing_damaged(experiment.task, *parts, log=where / DAMAGED_LOG) as (task, _):
            return _search(model, replace(experiment, task=task), folder, where, keep_adapters, callbacks)


class ExperimentSearch(SkipSearch):
    """The search in a training on our own records, which ends with the plan.

    Args:
        strategy: made before any training, by :func:`prepare_search`.
        length: of the whole training, of which the search may have a part with a schedule of its own.
        experiment: the rest.
    """

    def __init__(self, strategy: Strategy, length: TrainingLength, experiment: Experiment) -> None:
        held_out = RecordDataset(experiment.valid)
        super().__init__(experiment.needed_budget, held_out, experiment.search, stop=True)
        self.prepared, self.whole, self.experiment = strategy, length, experiment

    def _make_strategy(self, held_out: HeldOut, seed: int, saved: SavedSearch | None) -> Strategy:
        return self.prepared

    def _length(self, args: TrainingArguments, state: TrainerState, train_dataloader: Any) -> TrainingLength:
        return self.whole

    def _inputs(self, held_out: HeldOut) -> Inputs:
        return inputs_of(held_out.model, self.experiment)


def _search(
    model: nn.Module,
    experiment: Experiment,
    folder: str | Path | None,
    where: Path,
    keep_adapters: bool,
    callbacks: Sequence[TrainerCallback],
) -> Plan:
    """See :func:`search`; checkpoints go to ``where``."""
    config, training = experiment.search, experiment.training
    train, valid = experiment.train, experiment.valid
    strategy = prepare_search(model, experiment, None if folder is None else Path(folder))
    if not train or not valid:
        raise InputError(f"the search needs training and validation records; got {len(train)} and {len(valid)}")
    check_disjoint({"train": train, "validation": valid})
    length = TrainingLength.of(training, len(train))
    if not strategy.searches:
        report = begun_report(strategy, experiment.needed_budget, config, protected_blocks(model, config))
        if config.nested and strategy.subnetworks.only is None:
            evaluator = Evaluator(HeldOut.of(model, experiment, where), held_out_batch(config, length))
            report = report.replace(nested=nested_order(evaluator, strategy.best(), config.batches))
            choose(model, ())
        return found_plan(model, strategy, report, partial(inputs_of, model, experiment))
    callback = ExperimentSearch(strategy, length, experiment)
    times = schedule(config, length, held_out_batch(config, length))
    whole = max(times.whole, times.steps) if keep_adapters else times.steps
    before = trained_state(model)
    stretch = Stretch(0, whole, whole, training.warmup_ratio, searching=times.steps)
    bar = TrainingBar("searching", callback.note, times.steps)
    train_loop(model, experiment, stretch, where, bar, [callback, *callbacks])
    if not keep_adapters:
        load_trained(model, before)
    choose(model, ())
    return cast(Plan, callback.plan)  # fixed at the latest when the training ended


def prepare_search(model: nn.Module, experiment: Experiment, folder: Path | None) -> Strategy:
    """Make the strategy for the experiment's budget; refuses settings that cannot work before any training.

    Costs are those of inputs as large as the held-out records', which a report states them for too. For a latency
    budget, blocks are timed once; ``allowance.json`` in ``folder`` keeps the result.

    Raises:
        InputError: there is no budget, it cannot be met, or there are fewer distinct subnetworks than candidates.
    """
    budget, config = experiment.needed_budget, experiment.search
    protected = protected_blocks(model, config)
    path = folder and folder / "allowance.json"
    inputs = partial(inputs_of, model, experiment)
    found = on_main(lambda: subnetworks_of(model, budget, inputs, config, protected, path))
    return make_strategy(found, config, experiment.training.seed, tuple(blocks_of(model)))


def inputs_of(model: nn.Module, experiment: Experiment) -> Inputs:
    """What the costs of a search are stated for: inputs as large as those of the held-out records."""
    return example_inputs(model, *input_size(experiment.task, experiment.valid or experiment.train))
