"""Every task and every family, searched on thirteen records: with which batches decides the caller."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from campaign_form import LONG
from skiptune import (
    Budget,
    Experiment,
    Record,
    SearchConfig,
    SkipConfig,
    TrainConfig,
    fit,
    insert,
    load_model,
    load_processor,
    search,
)
from skiptune.core.distributed import leave, rank
from skiptune.plan import Plan
from skiptune.tasks.registry import TASKS
from skiptune.tasks.task import Task
from skiptune.training.trained_state import trained_state
from skiptune.training.training_log import TrainingLog

FAMILIES = ("vilt-tiny", "meter-tiny", "bridgetower-tiny")
#: Tasks of the families above; language models have another one.
WITH_HEADS = tuple(task for task in TASKS if task != "generation")
PAIRS = [(task, family) for task in WITH_HEADS for family in FAMILIES]
_ONE_EACH = [(task, FAMILIES[(place + 1) % 3]) for place, task in enumerate(WITH_HEADS[1:], 1)]
#: Those that are searched: one task with every family, each other one with one; in the campaign's long form, all.
SEARCHED = PAIRS if LONG else [*PAIRS[: len(FAMILIES)], *_ONE_EACH]
OPTIONS: dict[str, dict[str, Any]] = {"retrieval": {"false_texts": 2}}


def write_images(folder: Path) -> None:
    """Seventeen pictures, each unlike any other."""
    from conftest import draw_square

    for number in range(17):
        draw_square(folder / f"{number}.png", number)


def records_of(task: str, folder: Path) -> list[Record]:
    """Seventeen records of a task; the last four share no picture with the others."""
    paths, answers = [folder / f"{number}.png" for number in range(17)], ("red", "green", "blue")
    if task == "vqa":
        return [Record(path, f"which colour{'?' * k}", {answers[k % 3]: 1.0}) for k, path in enumerate(paths)]
    if task == "reasoning":
        return [Record(path, f"both have {k}", image2=path, label=k % 2) for k, path in enumerate(paths)]
    if task == "entailment":
        return [Record(path, f"it is {k} wide", label=k % 3) for k, path in enumerate(paths)]
    if task == "classification":
        return [Record(path, "?" * (k % 2), label=answers[k % 3]) for k, path in enumerate(paths)]
    if task == "regression":
        return [Record(path, value=10.0 * k) for k, path in enumerate(paths)]
    return [Record(path, captions=(f"square {k}", f"the square of {k}")) for k, path in enumerate(paths)]


def made(task: str, family: str, records: list[Record]) -> tuple[Task, nn.Module]:
    """The task, and its model without dropout, which would draw from another generator in every process."""
    found = TASKS[task].from_records(load_processor(family), records, **OPTIONS.get(task, {}))
    model = load_model(family, found.model_class, **found.model_changes())
    insert(model, SkipConfig(init="paper"))
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return found, model


def searched(task: str, family: str, folder: Path, **batches: Any) -> tuple[Plan, dict[str, Tensor]]:
    """The plan, and how far the search moved each weight in its two passes over thirteen records."""
    records = records_of(task, folder)
    own, model = made(task, family, records[:13])
    start = {name: value.detach().clone() for name, value in trained_state(model).items()}
    training = TrainConfig(epochs=2, learning_rate=1e-3, warmup_ratio=0, save_steps=9, **batches)
    config = SearchConfig(epochs=2, candidates=2, strategy="policy", interval=1, warmup_epochs=1)
    plan = search(model, Experiment(own, records[:13], records[13:], Budget(num_skip=1), config, training))
    return plan, {name: value.detach() - start[name] for name, value in trained_state(model).items()}


def every_pair(folder: Path, saving: bool = False, **batches: int) -> Iterator[tuple[str, Plan, dict[str, Tensor]]]:
    """A name, the plan and the moves of the weights, of each pair that is searched; ``saving``: with checkpointed
    gradients for one of the tasks."""
    for task, family in SEARCHED:
        checkpointing = saving and task == "vqa"
        yield f"{task}-{family}", *searched(task, family, folder, gradient_checkpointing=checkpointing, **batches)


def measured(folder: Path, **batches: int) -> TrainingLog:
    """The log of a training that is evaluated after every step, until it gets worse."""
    records = records_of("vqa", folder)
    own, model = made("vqa", "vilt-tiny", records[:13])
    training = TrainConfig(epochs=9, learning_rate=0.3, eval_steps=1, early_stopping=1, best_by="loss", load_best=True)
    experiment = Experiment(own, records[:13], records[13:], training=training.replace(**batches))
    return fit(model, experiment)


def by_several(where: Path) -> None:
    """What one of several processes does; the first one writes plans and moves to ``where``."""
    torch.set_num_threads(1)
    gc.freeze()  # every Trainer collects garbage, which takes longer than these trainings do
    log = measured(where, batch_size=2, gradient_accumulation=2)
    if rank() == 0:
        log.save(where / "measured.json")
    for name, plan, weights in every_pair(where, saving=True, batch_size=2, gradient_accumulation=2):
        if rank() == 0:
            (where / f"{name}.json").write_text(json.dumps(plan.preferences), encoding="utf-8")
            save_file(weights, where / f"{name}.safetensors")
    leave()
