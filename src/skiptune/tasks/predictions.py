"""Predictions of an evaluation, written to files."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import InputError
from ..core.files import write_json, write_text
from ..core.output_folders import behind_links
from ..data.pictures import Picture
from ..data.record import Record
from .evaluation_result import Evaluation

if TYPE_CHECKING:
    from ..data.records import Records

#: A question's number, as the server has them.
_NUMBER = re.compile(r"[0-9]{1,18}")


def check_outputs(outputs: Mapping[str, Path | None], inputs: Mapping[str, str | None]) -> None:
    """Refuse outputs that would overwrite what is read, or each other, before the work of an evaluation.

    Args:
        outputs: option → the file it names.
        inputs: option → the file that is read.

    Raises:
        InputError: two are one file, or an output is a directory.
    """
    taken = {Path(path).resolve(): option for option, path in inputs.items() if path is not None}
    for option, path in outputs.items():
        if path is None:
            continue
        if path.is_dir():
            raise InputError(f"{path}: a directory is in the way; name a file")
        place = path.resolve()
        if place in taken:
            raise InputError(f"{option}: {path} is the file of {taken[place]} and would be overwritten; name another")
        taken[place] = option


def write_predictions(path: Path, records: Sequence[Record], found: Evaluation, images: Path | None = None) -> None:
    """Write every record with the model's prediction and its score, one JSON object per line, in the records' order.

    Args:
        path: the file.
        records: that were evaluated; of conversations the text is what the user says last.
        found: what was found of them. The score is null where no answer is known.
        images: the folder that the rows' images were relative to; ``None``: paths are written whole.
    """
    rows = (
        {"id": record.id, **_names(record, images), "text": record.question, "answer": answer, "score": score}
        for record, answer, score in zip(records, found.predictions, found.scores, strict=True)
    )
    write_text(behind_links(path), "".join(json.dumps(row) + "\n" for row in rows))


def _names(record: Record, images: Path | None) -> dict[str, str | list[str]]:
    """``image``, and ``image2`` of a pair; ``images`` where there are more."""
    given = [as_given(picture, images) for picture in record.images]
    if record.further:
        return {"images": given}
    return dict(zip(("image", "image2"), given, strict=False))


def as_given(picture: Picture, images: Path | None) -> str:
    """The name of an image as its row has it; ``images`` is the folder that it is relative to."""
    if isinstance(picture, Path) and images is not None and picture.is_relative_to(images):
        return picture.relative_to(images).as_posix()
    return str(picture)


def check_submission(records: Records) -> None:
    """Refuse what VQAv2's evaluation server would not take, before the work of an evaluation.

    Raises:
        InputError: records without question ids, one twice, or rows that were left out.
    """
    ids = [record.id for record in records]
    if not all(map(_NUMBER.fullmatch, ids)):
        raise InputError("--submission: these records have no question ids; it is for --format vqav2")
    most, times = Counter(ids).most_common(1)[0]
    if times > 1:
        raise InputError(f"--submission: question {most} is there {times} times; the server takes one answer to each")
    if records.bad:
        raise InputError(
            f"--submission: {len(records.bad)} of {records.rows} questions are bad rows and would be missing, and the "
            f"server takes whole files only; mend them, e.g. {records.bad[0]}"
        )


def write_submission(path: Path, records: Records, found: Evaluation) -> None:
    """The results file that VQAv2's evaluation server takes, of records that :func:`check_submission` let pass."""
    answers = zip(records, found.predictions, strict=True)
    write_json(behind_links(path), [{"question_id": int(record.id), "answer": answer} for record, answer in answers])
