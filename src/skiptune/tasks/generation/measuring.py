"""Measure a model that writes: its answers, its choices among options, or how likely it finds right answers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...core.errors import InputError
from ...core.progress import track
from ...data.record import Record
from ..evaluation_result import Evaluation
from ..task import on_device
from .choices import CHOSEN, Scored, best_option, right_options, score_options
from .likelihoods import Likelihood, likelihoods
from .measures.exact_match import exact_match
from .measures.written import WRITTEN, measures_of
from .writing import Written

if TYPE_CHECKING:
    from .task import Generation

#: The measure that a loss gives.
LIKELIHOOD = "likelihood"
#: The largest loss whose perplexity is a number.
_LARGEST_LOSS = 700.0


@dataclass
class Gathered:
    """What a model does with records, by their places.

    Attributes:
        written: answers; none where another measure is asked for.
        options: with their log-likelihoods, likewise.
        likely: how likely right answers are, where one is known.
    """

    written: dict[int, Written] = field(default_factory=dict)
    options: dict[int, tuple[Scored, ...]] = field(default_factory=dict)
    likely: dict[int, Likelihood] = field(default_factory=dict)


def measured(task: Generation, model: Any, records: Sequence[Record], batch_size: int, title: str) -> Evaluation:
    """Evaluate a model, in evaluation mode, as it stands, by the task's measure and those that cost nothing beside it.

    Raises:
        InputError: the measure is a choice, and a record has no options.
    """
    if task.metric in CHOSEN:
        check_options(task.metric, records)
    found = Gathered()
    for rows in track(list(_batches(task, records, batch_size)), title):
        batch = [records[row] for row in rows]
        if task.metric in WRITTEN:
            found.written.update(zip(rows, task.write(model, batch), strict=True))
        elif task.metric in CHOSEN:
            found.options.update(zip(rows, score_options(task, model, batch), strict=True))
        known = [(row, record) for row, record in zip(rows, batch, strict=True) if task.answered(record)]
        if known:
            inputs = on_device(task.collate([record for _, record in known]), model)
            found.likely.update(zip([row for row, _ in known], likelihoods(model, inputs), strict=True))
    return _evaluation(task.metric, records, found)


def check_options(measure: str, records: Sequence[Record], part: str = "") -> None:
    """Refuse records without options to choose from.

    Args:
        measure: a choice among them.
        records: to measure on.
        part: of the data, for the message.

    Raises:
        InputError: names the first.
    """
    without = [number for number, record in enumerate(records, start=1) if not record.options]
    if without:
        raise InputError(
            f"measure: {measure} needs options to choose from; {len(without)} of {len(records)} records"
            f"{part and f' of {part}'} have none, the first is record {without[0]}; give options, or take another "
            "measure, e.g. exact_match"
        )


def _batches(task: Generation, records: Sequence[Record], size: int) -> Iterator[list[int]]:
    """Places of records, those of about equal length together, the longest first: if they do not fit into memory, it
    is told at once. A batch of choices has as many options as others have records."""

    def length(row: int) -> tuple[int, int]:
        record = records[row]
        return len(record.images), sum(len(turn.text) for turn in task.turns(record))

    order = sorted(range(len(records)), key=length, reverse=True)
    if task.metric in CHOSEN:
        size = max(1, size // max(len(record.options) for record in records))
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _evaluation(metric: str, records: Sequence[Record], found: Gathered) -> Evaluation:
    """The measures of what was gathered; ``metric`` is the headline."""
    known = sorted(found.likely)
    predictions = [_prediction(metric, found, row) for row in range(len(records))]
    scores = _scores(metric, [(records[row], predictions[row]) for row in known], known, found)
    loss, tokens = (sum(getattr(found.likely[row], name) for row in known) for name in ("loss", "tokens"))
    mean = loss / tokens if tokens else None
    own = dict(zip(known, scores[metric], strict=True))
    return Evaluation(
        {name: sum(values) / len(values) for name, values in scores.items()} if known else {},
        mean,
        len(known),
        sum(not right_options(records[row]) for row in known) if found.options else 0,
        tuple(predictions),
        tuple(own.get(row) for row in range(len(records))),
        unanswered=len(records) - len(known),
        errors={} if mean is None else {"perplexity": math.exp(min(mean, _LARGEST_LOSS))},
        cut_answers=sum(written.cut for written in found.written.values()),
    )


def _prediction(metric: str, found: Gathered, row: int) -> str:
    """What the model says; nothing where only likelihoods are measured."""
    if row in found.options:
        return best_option(found.options[row], metric).option
    return found.written[row].text if row in found.written else ""


def _scores(
    metric: str, said: Sequence[tuple[Record, str]], rows: Sequence[int], found: Gathered
) -> dict[str, list[float]]:
    """Of every measure, the headline first, one score for each record with a known answer."""
    scores: dict[str, list[float]] = {}
    if metric in WRITTEN:
        for name, written in measures_of([record for record, _ in said], metric).items():
            scores[name] = [written.score(answer, record) for record, answer in said]
    if metric in CHOSEN:
        for name in sorted(CHOSEN, key=lambda name: name != metric):
            best = [best_option(found.options[row], name).option for row in rows]
            pairs = zip(said, best, strict=True)
            scores[name] = [exact_match(option, record) for (record, _), option in pairs]
    return {**scores, LIKELIHOOD: [found.likely[row].mean_probability for row in rows]}
