"""The evaluation step of a run: metrics of the trained model, and sample answers for the report card."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from ..core.measurements import Measured, MeasuredParts
from ..core.validated import Several
from ..data.parts import Data
from ..data.record import Record
from ..reporting.result_sections import Sample
from ..tasks.evaluation import evaluate
from ..tasks.task import Evaluation, Task

_SAMPLES = 12


class RunEvaluation(MeasuredParts):
    """The content of ``evaluation.json``: metrics by part, and records with the model's answers."""

    samples: Several[Sample] = ()


def measure(model: nn.Module, task: Task, data: Data, seed: int) -> RunEvaluation:
    """Metrics on all parts that were not trained on, and samples of the one to report."""
    found = {name: evaluate(model, task, records, title=name) for name, records in data.held_out.items()}
    samples = sample_answers(found[data.reported], task, data.held_out[data.reported], seed)
    measured = {name: Measured.from_dict(evaluation.summary()) for name, evaluation in found.items()}
    return RunEvaluation(**measured, samples=samples)


def sample_answers(found: Evaluation, task: Task, records: Sequence[Record], seed: int) -> tuple[Sample, ...]:
    """A few records with the given and the accepted answers, for the report card."""
    rows = np.random.default_rng(seed).permutation(len(records))[:_SAMPLES]
    return tuple(
        Sample(
            image=str(records[row].image),
            question=records[row].text,
            accepted=tuple(task.accepted(records[row])),
            given=found.predictions[row],
            score=found.scores[row],
        )
        for row in rows
    )
