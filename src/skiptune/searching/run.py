"""Run the search: train adapters on drawn subnetworks, update the policy, return the plan."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import nn

from ..config import Budget, SearchConfig, TrainConfig
from ..cost import example_inputs
from ..data.records import Record, check_disjoint
from ..distributed import on_main, processes
from ..errors import InputError
from ..families.registry import family_of
from ..insertion import blocks_of, choose
from ..plan import Plan
from ..tasks.base import Task
from ..training import load_trained, train_loop, trained_state
from .budget import describe, kept_allowance
from .callback import SearchCallback
from .policy import Policy


def search(
    model: nn.Module,
    task: Task,
    train: Sequence[Record],
    valid: Sequence[Record],
    budget: Budget,
    config: SearchConfig | None = None,
    training: TrainConfig | None = None,
    folder: str | Path | None = None,
    keep_adapters: bool = False,
) -> Plan:
    """Find the blocks the task can do without (paper, section 3.3).

    Args:
        model: a model with adapters inserted.
        task: what to learn.
        train: records the adapters train on meanwhile.
        valid: held-out records that rewards are measured on; they must not share an image with ``train``.
        budget: how much to skip.
        config: search settings.
        training: optimisation settings; their seed also seeds the search.
        folder: for checkpoints; call again with the same folder to go on after an interruption.
        keep_adapters: leave what the search trained in the model, to go on from there. By default the model is left
            as it was found, for the paper's restart from the pre-trained weights.

    Returns:
        The plan, with preferences and the record of every round in ``details``.

    Raises:
        InputError: the budget cannot be met, fewer distinct subnetworks than candidates, an empty part, or an image
            in both parts.
        RunError: a loss is not finite.
    """
    config, training = config or SearchConfig(), training or TrainConfig()
    names = tuple(blocks_of(model))
    policy = prepare_search(model, budget, config, training.seed, None if folder is None else Path(folder))
    if not train or not valid:
        raise InputError(f"the search needs training and validation records; got {len(train)} and {len(valid)}")
    check_disjoint({"train": train, "validation": valid})
    if policy.allowance.number == 0:
        return Plan(family_of(model).name, names, (), "none")
    before = trained_state(model)
    callback = SearchCallback(
        model,
        names,
        policy,
        config,
        valid,
        task.collate,
        warmup_steps=warmup_draws(config, training, len(train)),
        batch_size=config.reward_batch_size or training.batch_size * processes(),
        seed=training.seed,
    )
    with TemporaryDirectory() as scratch:
        where = Path(folder) if folder is not None else Path(scratch)
        outcome = train_loop(
            model,
            task,
            train,
            training,
            where,
            "searching",
            config.epochs,
            config.max_steps,
            [callback],
            callback.note,
        )
    if not keep_adapters:
        load_trained(model, before)
    choose(model, ())
    details = {
        "seed": training.seed,
        "budget": budget.to_dict(),
        "allowance": describe(policy.allowance, names),
        "search": config.to_dict(),
        "seconds": outcome["seconds"],
        "steps": outcome["steps"],
        "rounds": callback.rounds,
        "history": outcome["history"],
    }
    preferences = dict(zip(names, policy.preferences.tolist(), strict=True))
    skipped = tuple(names[block] for block in policy.best())
    return Plan(family_of(model).name, names, skipped, "policy", preferences, details)


def prepare_search(model: nn.Module, budget: Budget, config: SearchConfig, seed: int, folder: Path | None) -> Policy:
    """A fresh policy for a budget; refuses what cannot work, before any training.

    Where the budget is one of time, blocks are timed once: ``allowance.json`` in ``folder`` keeps the result.

    Raises:
        InputError: the budget cannot be met, or there are fewer distinct subnetworks than candidates.
    """
    usual = family_of(model).sizes(model.config)
    inputs = example_inputs(model, (usual.image_size, usual.image_size), usual.text_length)
    allowance = on_main(lambda: kept_allowance(folder and folder / "allowance.json", model, budget, inputs))
    policy = Policy(allowance, config.policy_learning_rate, seed)
    if allowance.number != 0:
        policy.check_candidates(config.candidates)
    return policy


def warmup_draws(config: SearchConfig, training: TrainConfig, rows: int) -> int:
    """Draws before the first update: the warm-up epochs, or the same share of ``max_steps``."""
    per_step = training.batch_size * training.gradient_accumulation * processes()
    if config.max_steps is not None:
        steps = config.max_steps * config.warmup_epochs / config.epochs
    else:
        steps = config.warmup_epochs * rows / per_step
    return math.ceil(steps * (training.gradient_accumulation if config.draw == "micro_batch" else 1))
