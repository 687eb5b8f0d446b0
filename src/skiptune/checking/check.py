"""The data doctor: look at all data of a recipe, or at rows in Python, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core.errors import InputError
from ..core.shown import shown
from ..data.data_config import PARTS
from ..data.given_records import Examples
from ..data.parts import Data
from ..models.head_transfer import label_names
from ..models.loading import load_config
from ..running.recipe import Recipe
from ..running.run_data import processor_of
from ..tasks.generation.task import Generation
from ..tasks.registry import TASKS
from ..tasks.task import Task
from .checked_part import CheckedPart
from .examine import MOST_ROWS, SHOWN, Depth, Examination
from .finding import Findings
from .reading import read_all, read_given, try_to_cut
from .report import DataReport


def check_data(
    data: Examples | Mapping[str, Examples],
    task: Task | None = None,
    *,
    rows: int = MOST_ROWS,
    show: int = SHOWN,
) -> DataReport:
    """Look for what would spoil a training; bad rows are told, not raised.

    Args:
        data: rows, records or a dataset, as :func:`skiptune.records` takes them; or several of these by the names of
            parts, ``train``, ``validation`` and ``test``, which are compared with each other.
        task: with the model's processor, through which rows go as in training; ``None``: the data alone are looked at.
        rows: of each part, at most, whose images are decoded and that go through the processor; they are drawn at
            random. All rows are looked at otherwise.
        show: how many rows the report shows as the model sees them.

    Raises:
        InputError: the task is none, or a number is not above 0.
    """
    if task is not None and not isinstance(task, Task):
        raise InputError(
            f"task: {shown(task)} is none; give one that has a processor, e.g. Generation(load_processor(model))"
        )
    for name, value in (("rows", rows), ("show", show)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1 - (name == "show"):
            raise InputError(f"{name}: {shown(value)} is not a number of rows")
    findings = Findings()
    checks = {} if task is None else task.own_row_checks()
    parts = read_given(_by_part(data), checks, findings)
    return Examination(task, Depth(rows, show), findings).look_at(parts, "", "" if task is None else task.name)


def _by_part(data: Any) -> Mapping[str, Any]:
    return data if isinstance(data, Mapping) and data and set(data) <= set(PARTS) else {"train": data}


def check_recipe(recipe: Recipe, depth: Depth, with_model: bool = True, as_a_run: bool = True) -> DataReport:
    """Look at the data of a recipe, as a run of it would read them.

    Args:
        recipe: what to read, and the task and model to read it for.
        depth: how much is looked at.
        with_model: put rows through the model's processor.
        as_a_run: also try to cut the parts of a run.

    Raises:
        InputError: there is no such model, or its processor cannot be read.
    """
    findings = Findings()
    processor = processor_of(recipe) if with_model else None
    parts = read_all(recipe.data, TASKS[recipe.task].row_checks, findings)
    if as_a_run:
        try_to_cut(recipe.data, recipe.train.seed, parts, findings)
    task = None if processor is None else _task(recipe, processor, parts, findings)
    return Examination(task, depth, findings).look_at(parts, recipe.model if with_model else "", recipe.task)


def _task(recipe: Recipe, processor: Any, parts: Sequence[CheckedPart], findings: Findings) -> Task | None:
    """The task of a recipe; ``None``: it cannot be made, which is a finding."""
    kind = TASKS[recipe.task]
    train = next((part.records for part in parts if part.name == "train"), ())
    try:
        if issubclass(kind, Generation):
            return kind(processor, **recipe.task_options)
        known = label_names(load_config(recipe.model))
        data = Data(train, (), (), {}, (train,))
        return kind.from_data(processor, data, recipe.data.least_answer_count, known, **recipe.task_options)
    except InputError as error:
        findings.add("model", "train", recipe.model, str(error))
        return None
