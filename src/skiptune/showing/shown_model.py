"""A model on the page, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..answering.opened import Opened
from ..core.formatting import change, count, file_name
from ..core.measured_text import latency_times, quality
from ..core.process import best_device
from ..exporting.all_blocks import load_with_all_blocks
from ..exporting.card_parts import TASKS_IN_WORDS
from ..exporting.exported import Exported, read_exported
from ..exporting.measures import Measures
from ..predicting.pipeline import Pipeline


@dataclass(frozen=True)
class Facts:
    """What a directory says of its model.

    Attributes:
        task: in words.
        base: what was tuned.
        blocks: names of all blocks of the base, in their order.
        skipped: names of those that are not there.
        lines: what was measured, each a name and a text.
    """

    task: str
    base: str
    blocks: tuple[str, ...]
    skipped: tuple[str, ...]
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ShownModel:
    """A model that answers on the page.

    Attributes:
        name: by which it is asked.
        folder: that it was read from.
        pipeline: the model with its task.
        facts: told on the page.
        whole: whether no block is skipped, see :func:`load_with_all_blocks`.
    """

    name: str
    folder: Path
    pipeline: Pipeline
    facts: Facts
    whole: bool = False


def shown_models(opened: Sequence[Opened], original: bool = False, base: str | None = None) -> list[ShownModel]:
    """The models with their facts; ``original``: behind each the same one with all blocks of its base.

    Raises:
        InputError: a directory holds what no export writes, or as :func:`load_with_all_blocks`.
    """
    found = []
    for entry in opened:
        facts = facts_of(entry.folder)
        found.append(ShownModel(entry.name, entry.folder, entry.pipeline, facts))
        if original:
            model = load_with_all_blocks(entry.folder, base).to(best_device())
            pipeline = Pipeline(model, entry.pipeline.task)
            found.append(ShownModel(f"{entry.name}-all-blocks", entry.folder, pipeline, facts, whole=True))
    return found


def facts_of(folder: Path) -> Facts:
    """What a slim directory or plain checkpoint says of its model.

    Raises:
        InputError: it was edited.
    """
    exported = read_exported(folder)
    task = exported.task.name if exported.task else ""
    measures = Measures.from_dict(exported.extra, f"{folder}: what was measured cannot be shown; edited?")
    return Facts(
        task=TASKS_IN_WORDS.get(task, task),
        base=file_name(exported.base),
        blocks=tuple(exported.plan.blocks),
        skipped=tuple(exported.plan.skipped),
        lines=tuple(_measured(exported, measures)),
    )


def _measured(exported: Exported, measures: Measures) -> Iterator[tuple[str, str]]:
    if exported.plan.tokens is not None:
        yield "image tokens", str(exported.plan.tokens)
    if exported.parameters:
        yield "parameters", count(exported.parameters)
    for part, found in list(measures.accuracy.parts.items())[:1]:
        metric = next(iter(found.metrics), None)
        if metric is not None:
            yield f"{metric.replace('_', ' ')} ({part})", quality(found, metric)
    for batch, timings in (measures.latency.batches if measures.latency else {}).items():
        if {"slim", "original"} <= timings.keys() and measures.latency is not None:
            slim, original = timings["slim"], timings["original"]
            told = f"{change(slim.ratio - 1)}, {latency_times(slim, original)}, on {measures.latency.device}"
            yield f"time of a forward pass, batch {batch}", told
