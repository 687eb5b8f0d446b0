"""Answer records that are given in Python into a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import InputError
from ...core.shown import shown
from ...data.given_records import Examples, as_records
from ...data.records import Records
from ...tasks.generation.task import Generation
from ..questions import check_number
from .answer_output import AnswerFile, AnswerOutput
from .asked_rows import AskedRows
from .asking import Asking, Preparing
from .predict_file import predict_file

if TYPE_CHECKING:
    from ..pipeline import Pipeline


def predict_records(
    pipe: Pipeline, records: Examples, output: AnswerOutput, *, top: int, workers: int, images: Path | None
) -> AnswerFile:
    """As :meth:`skiptune.Pipeline.predict_file`.

    Raises:
        InputError, RunError: likewise.
    """
    check_number("top", top, "how many answers to give")
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 0:
        raise InputError(f"workers: {shown(workers)}; expected how many threads prepare rows, at least 0")
    found = Records.of(as_records(records, pipe.task.asked_row_checks(), require_answers=False))
    asking = Asking.usual(top, pipe.batch_size, isinstance(pipe.task, Generation))
    return predict_file(pipe.model, pipe.task, AskedRows(found, images), output, asking, Preparing(workers))
