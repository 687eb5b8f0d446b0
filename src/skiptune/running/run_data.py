"""The records and the task of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.distributed import rank
from ..core.formatting import counted
from ..core.progress import console, say_once
from ..data.damaged import Damaged
from ..data.images import EXIF_SWITCH
from ..data.parts import LEAST_RESERVED, Data, read_parts
from ..data.records import Records
from ..data.splits import count_images
from ..exporting.manifest import SavedTask, is_slim, read_manifest
from ..exporting.measures import Measures
from ..exporting.seen_files import exported_extra, told_of
from ..models.head_transfer import label_names
from ..models.loading import load_config, load_family, load_processor
from ..tasks.generation.task import Generation
from ..tasks.generation.template import DATED
from ..tasks.registry import TASKS, task_named
from ..tasks.task import Task
from .fitting_data import fitting_data
from .recipe import Recipe
from .run_inputs import read_inputs


def read_data(recipe: Recipe, folder: Path, processor: Callable[[], Any] | None = None) -> Data:
    """The records of a recipe. Rows that cannot be used are listed in ``folder/logs``, and the first one is printed.

    Args:
        recipe: of a run.
        folder: its output.
        processor: gives that of :func:`processor_of`, which rows of generation are looked at with; ``None``: read it.
    """
    logs = folder / "logs" if rank() == 0 else None
    found = read_parts(recipe.data, recipe.train.seed, logs, TASKS[recipe.task].row_checks)
    if recipe.task == "generation":
        task = Generation(processor() if processor else processor_of(recipe), **recipe.task_options)
        found = fitting_data(found, task, recipe.data.most_bad, logs)
    report_bad_rows(found.bad_rows, found.unlabelled)
    if found.reported == "validation" and recipe.data.reserved_share is not None:
        say_once(
            f"validation: {count_images(found.validation)} images are too few to keep some of them from the search "
            f"({LEAST_RESERVED} on either side); the plan is chosen on all of them, so their number will be too good: "
            "name a data.test"
        )
    return found


def make_task(recipe: Recipe, data: Data, folder: Path, processor: Any = None) -> Task:
    """The task of a recipe over its ``data``. Images that cannot be read are listed in ``folder/logs``.

    ``processor`` is that of :func:`processor_of`; ``None``: read it.
    """
    known, processor = label_names(load_config(recipe.model)), processor or processor_of(recipe)
    least = recipe.data.least_answer_count
    task = TASKS[recipe.task].from_data(processor, data, least, known, **recipe.task_options)
    if known and task.settings().get("answers") == list(known):
        say_once(f"{recipe.model}: its head knows all answers of the data and keeps its own {len(known):,}")
    if isinstance(task, Generation) and task.template.dated:
        say_once(f"{recipe.model}: {DATED}")
    images = sum(len(Records.of(part).pictures()) for part in (data.train, *data.held_out.values()))
    task.images.damaged = Damaged(images, recipe.data.most_bad, folder / "logs" / "bad-images.log")
    return task


def processor_of(recipe: Recipe) -> Any:
    """The model's processor, as the recipe changes it."""
    processor = load_processor(recipe.model)
    if recipe.preset == "paper" and recipe.train.decayed == "paper":  # runs of 0.3 go on without
        as_released(recipe, processor)
    if not recipe.data.exif_orientation and processor.image_processor is not None:
        setattr(processor.image_processor, EXIF_SWITCH, False)
    return processor


def as_released(recipe: Recipe, processor: Any) -> None:
    """Cut texts where the released run did, in place, and say if its images had another size than the model's."""
    released = load_family(recipe.model).released_run(recipe.task)
    processor.tokenizer.model_max_length = min(processor.tokenizer.model_max_length, released.text_length)
    size = processor.image_processor.size
    side = size.get("shortest_edge") or size.get("height")
    if side != released.image_size:
        say_once(
            f"preset: paper: {recipe.model} has images of {side} pixels, the released run {released.image_size}; "
            f"convert it with --image-size {released.image_size} for the same"
        )


def kept_task(recipe: Recipe, folder: Path) -> Task | None:
    """The task that a run keeps, with its answers, or that stands beside its slim model; ``None``: neither is there.

    Raises:
        InputError: the pre-trained model is not the one that the run began with.
    """
    inputs = read_inputs(folder)
    if inputs is not None:
        inputs.refuse_other_model(recipe)
    saved = inputs.task if inputs is not None else _beside_slim(folder / "slim")
    return None if saved is None else task_named(saved.name)(processor_of(recipe), **saved.settings)


def _beside_slim(folder: Path) -> SavedTask | None:
    return read_manifest(folder).task if is_slim(folder) else None


def report_seen(path: Path, slim: Path) -> None:
    """Say if the model in the directory ``slim`` was trained or chosen on the file that it was measured on."""
    said = told_of(path, Measures.from_dict(exported_extra(slim)))
    if said is not None:
        console.print(said)


def report_bad_rows(parts: Mapping[str, Sequence[str]], unlabelled: Mapping[str, int]) -> None:
    """Print how many rows of each part were left out, and the first reason; and how many the set gives no label."""
    for name, bad in parts.items():
        if bad:
            console.print(f"{name}: {counted(len(bad), 'rows')} left out, e.g. {bad[0]}")
    for name, count in unlabelled.items():
        if count:
            console.print(f"{name}: {counted(count, 'rows')} left out, since the set gives them no label")
