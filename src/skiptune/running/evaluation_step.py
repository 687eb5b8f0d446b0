"""The evaluation step of a run: metrics of the trained model, and sample answers for the report card."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field
from torch import nn

from ..core.measurements import MeasuredParts
from ..core.validated import Several
from ..data.parts import Data
from ..data.record import Record
from ..reporting.result_sections import Sample
from ..tasks.evaluation import evaluate
from ..tasks.evaluation_result import Evaluation
from ..tasks.task import Task
from .side_by_side import Terms, as_measured, measure_priors, terms_of

_SAMPLES = 12


class RunEvaluation(MeasuredParts):
    """The content of ``evaluation.json``: metrics by part, and records with the model's answers.

    Attributes:
        samples: of the part to report.
        priors: measures by part of rules that see no image, see :meth:`skiptune.tasks.task.Task.priors`.
        terms: of the headline by part, see :class:`skiptune.tasks.evaluation_result.Evaluation`.
    """

    samples: Several[Sample] = ()
    priors: dict[str, MeasuredParts] = Field(default={})
    terms: Terms = Field(default={})


def measure(model: nn.Module, task: Task, data: Data, seed: int) -> RunEvaluation:
    """Metrics on all parts that were not trained on, beside those of rules that see no image, and samples of the one to
    report."""
    found = {name: evaluate(model, task, records, title=name) for name, records in data.held_out.items()}
    samples = sample_answers(found[data.reported], task, data.held_out[data.reported], seed)
    measured, terms = as_measured(found), terms_of(found)
    return RunEvaluation(**measured, samples=samples, priors=measure_priors(task, data, terms), terms=terms)


def sample_answers(found: Evaluation, task: Task, records: Sequence[Record], seed: int) -> tuple[Sample, ...]:
    """A few records with the given and the accepted answers, for the report card."""
    rows = np.random.default_rng(seed).permutation(len(records))[:_SAMPLES]
    return tuple(
        Sample(
            image=str(records[row].images[0]) if records[row].images else "",
            question=records[row].question,
            accepted=tuple(task.accepted(records[row])),
            given=found.predictions[row],
            score=found.scores[row],
        )
        for row in rows
    )
