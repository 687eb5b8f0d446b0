"""Write the first recipe for a folder of data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..core.errors import InputError
from ..core.formatting import change, counted
from ..core.templates import Comment, render
from ..data.data_config import PATHS
from ..data.parts import Data, read_parts
from ..data.splits import count_images
from ..models.loading import load_family
from ..running.recipe import Recipe
from ..running.run_checks import check_records
from ..running.run_data import make_task
from ..tasks.generation.task import Generation
from ..tasks.input_size import input_size
from ..tasks.registry import TASKS
from .answer_measure import answer_measure
from .budget_range import BudgetRange, budget_range
from .layout import Layout
from .training_plan import training_plan

#: Images from which on a test part is cut off, and the shares for few and for many images.
_LEAST_IMAGES, _MANY_IMAGES = 20, 1000
_SHARE_OF_FEW, _SHARE_OF_MANY = 0.15, 0.1

#: Tasks whose rows a model that writes can answer, too.
_WRITTEN = ("vqa", "retrieval")
#: Why a field of the section ``data`` is there.
_WHY = {
    "name": "the format of the files",
    "columns": "our field: its name in the files",
    "validation_share": "share of the images that is held out; the plan is chosen on it",
    "test_share": "share of the images that is only used once, at the end",
}


@dataclass(frozen=True)
class FirstRecipe:
    """A recipe and what it was made from.

    Attributes:
        recipe: complete, with absolute paths.
        layout: of the data.
        data: the records.
        budgets: that the model can meet.
        wider: those with ``adapters.scope: global``; ``None``: the model has no encoders whose layers can be skipped.
        answers: how many answers or labels the task has; ``None``: it has none.
    """

    recipe: Recipe
    layout: Layout
    data: Data
    budgets: BudgetRange
    wider: BudgetRange | None
    answers: int | None

    def text(self, file: Path) -> str:
        """The recipe as commented YAML, with paths relative to ``file``, where it is to stand."""
        given = {name: value for name, value in self.recipe.data if name in self.recipe.data.model_fields_set}
        data = {name: _relative(value, file) if name in PATHS else value for name, value in given.items() if value}
        chosen = self.recipe.budget.num_skip or 1
        return render(
            "skiptune.starting",
            "recipe.yaml.j2",
            file=Comment(file),
            found=Comment(f"{self.layout.kind}: {'; '.join(self.found())}"),
            recipe=self.recipe,
            data=data,
            why=lambda name: Comment(f"  # {_WHY[name]}" if name in _WHY else ""),
            budgets=self.budgets,
            wider=self.wider,
            chosen=Comment(f"num_skip {chosen}: {self.budgets.met_by(chosen):.2f}"),
            rows=len(self.data.train),
        )

    def found(self) -> list[str]:
        """What the parts hold, in words."""
        unit = TASKS[self.recipe.task].unit
        parts = {"train": self.data.train, **self.data.held_out}
        if unit == "images":  # captions of one image may be in several rows
            unit = "rows"
        return [
            f"{name}: {counted(len(part), unit)} on {counted(count_images(part), 'images')}"
            for name, part in parts.items()
        ]

    def lines(self) -> list[str]:
        """What was found, for the command line."""
        left_out = {name: rows for name, rows in self.data.bad_rows.items() if rows}
        bad = [f"  {name}: {counted(len(rows), 'rows')} left out, e.g. {rows[0]}" for name, rows in left_out.items()]
        task = f"task: {self.recipe.task}" + (f", {self.answers:,} answers" if self.answers else "")
        size = "x".join(map(str, self.budgets.image_size))
        skipped = self.recipe.budget.num_skip or 1
        return [
            f"data: {self.layout.kind}",
            *(f"  {line}" for line in self.found()),
            *bad,
            task,
            f"model: {self.recipe.model}, {self.budgets.blocks} blocks; budgets that it can meet: {self.budgets} "
            f"(images of {size} pixels, {self.budgets.text_length} tokens)",
            *([f"  with adapters.scope: global: {self.wider}"] if self.wider is not None else []),
            f"budget: num_skip {skipped}, {change(self.budgets.changes[skipped - 1])} operations",
        ]


def first_recipe(layout: Layout, model: str | None, task: str | None, output: str) -> FirstRecipe:
    """Read the data and make a recipe for it.

    Args:
        layout: how the data can be read.
        model: that is to be adapted; ``None``: the embedded one for the task that knows drawn scenes.
        task: its name; ``None``: as the fields of the rows tell.
        output: directory of the run.

    Raises:
        InputError: no data, no task, too many bad rows, or a model that cannot do it; nothing was written.
    """
    told = _task(layout, task, model)
    model = model or ("llava-scenes" if told == Generation.name else "vilt-scenes")
    values: dict[str, Any] = {"output": output, "model": model, "task": told}
    whole = _read(Recipe.from_dict({**values, "data": {**layout.data, **_halved(layout.data)}}))
    recipe = Recipe.from_dict({**values, "data": {**layout.data, **_shares(layout.data, whole)}})
    data = _read(recipe)
    if told == Generation.name:
        values["generation"] = {"measure": answer_measure(data.train)}
        recipe = Recipe.from_dict({**values, "data": recipe.data})
    check_records(recipe, data)
    with TemporaryDirectory() as logs:
        made = make_task(recipe, data, Path(logs))
        size = input_size(made, data.validation)
    budgets, wider = budget_range(model, made, recipe.adapters, size), None
    if load_family(model).adopt_encoders is not None:
        wider = budget_range(model, made, recipe.adapters.replace(scope="global"), size)
    training = training_plan(len(data.train), budgets.parameters)
    recipe = Recipe.from_dict({**values, "data": recipe.data, "budget": budgets.proposed, "train": training})
    return FirstRecipe(recipe, layout, data, budgets, wider, len(made.settings().get("answers", ())) or None)


def _task(layout: Layout, given: str | None, model: str | None) -> str:
    """The task that is asked for, or the one that the rows are for; a model that writes answers all rows by writing."""
    if layout.task is None and (given is None or layout.fields):
        fields = f" ({', '.join(layout.fields)})" if layout.fields else ""
        raise InputError(
            f"{layout.data['train']}: the fields of its rows{fields} tell no task; name the one to learn, e.g. "
            "--column answer=NAME, label=NAME, value=NAME (numbers) or caption=NAME"
        )
    asks = given is None and layout.task in _WRITTEN
    writes = asks and model is not None and load_family(model).generates
    return Generation.name if writes else given or str(layout.task)


def _read(recipe: Recipe) -> Data:
    return read_parts(recipe.data, recipe.train.seed, None, TASKS[recipe.task].row_checks)


def _halved(data: Mapping[str, object]) -> dict[str, float]:
    """A share that works for few images, too, until it is known how many there are."""
    return {} if "validation" in data or data["name"] == "karpathy" else {"validation_share": 0.5}


def _shares(data: Mapping[str, object], whole: Data) -> dict[str, float]:
    """The shares of the training images that are cut off for parts without a file."""
    if data["name"] == "karpathy":  # it has all parts
        return {}
    given = [part for part in ("validation", "test") if part in data or f"{part}_split" in data]
    cut = [whole.train] if "validation" in given else [whole.train, whole.validation, whole.reserved]
    images = sum(count_images(part) for part in cut if part)
    share = _SHARE_OF_MANY if images >= _MANY_IMAGES else _SHARE_OF_FEW
    found = {} if "validation" in given else {"validation_share": share if images >= _LEAST_IMAGES else 0.25}
    return {**found, **({"test_share": share} if "test" not in given and images >= _LEAST_IMAGES else {})}


def _relative(value: object, file: Path) -> object:
    """A path as a recipe in ``file`` names it: relative to it, unless it is elsewhere."""
    if not isinstance(value, str):
        return value
    folder = file.resolve().parent
    try:
        found = Path(os.path.relpath(value, folder)).as_posix()
    except ValueError:  # another drive
        return value
    return value if found.startswith("../../") else found
