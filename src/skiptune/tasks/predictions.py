"""Predictions of an evaluation, written to files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ..core.errors import InputError
from ..core.files import write_json, write_text
from ..core.output_folders import behind_links
from ..data.record import Record
from .task import Evaluation


def write_predictions(path: Path, records: Sequence[Record], found: Evaluation) -> None:
    """Write every record with the model's prediction and its score, one JSON object per line."""
    rows = [
        {"image": Path(str(record.image)).name, "text": record.text, "answer": answer, "score": score}
        for record, answer, score in zip(records, found.predictions, found.scores, strict=True)
    ]
    write_text(behind_links(path), "".join(json.dumps(row) + "\n" for row in rows))


def write_submission(path: Path, records: Sequence[Record], found: Evaluation) -> None:
    """The results file that VQAv2's evaluation server takes.

    Raises:
        InputError: the records have no question ids.
    """
    if not all(record.id.isdigit() for record in records):
        raise InputError("--submission: these records have no question ids; it is for --format vqav2")
    answers = zip(records, found.predictions, strict=True)
    write_json(behind_links(path), [{"question_id": int(record.id), "answer": answer} for record, answer in answers])
