"""A JSON-lines file beside a folder of images: questions, sentences about one or two images, captions, labels, numbers.

``answers`` is a list of answers as annotators gave them, or a mapping from answer to count. Counts become the usual
soft scores of VQA, ``min(1, 0.3 · count)``; a single ``answer`` scores 1. See
:func:`skiptune.data.readers.row_to_record.row_record`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..record import Record
from ..records import Records
from .collecting import Row, RowChecks, collect, image_folder
from .json_lines import read_lines
from .renaming import check_columns, renamed
from .row_to_record import row_record
from .values import name_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: Your own files may have more bad rows than published ones.
MOST_BAD_ROWS = 0.2


def read_jsonl(
    path: str | Path,
    images: str | Path,
    require_answers: bool = True,
    columns: Mapping[str, str] | None = None,
    **checks: Unpack[RowChecks],
) -> Records:
    """Read records line by line. A bad row is left out, counted, and reported in ``bad``.

    Args:
        path: the JSON-lines file.
        images: the folder that ``image`` and ``image2`` are relative to.
        require_answers: whether a row without an answer or label is bad.
        columns: our field to the file's, only for fields that have another name there, e.g. ``{"question": "text"}``.
        checks: see :class:`skiptune.data.readers.collecting.RowChecks`; here ``most_bad`` is 0.2 by default, and every
            image file is opened once.

    Raises:
        InputError: no such file or folder, no usable row, or more than ``most_bad`` of them bad.
    """
    folder, labels, task = image_folder(images), checks.get("labels", ()), checks.get("task", "")
    names = columns or {}
    check_columns(names, str(path), task=task)

    def picture(row: Row, name: str) -> Path:
        return folder / name_of(row, name)

    def make(row: Any) -> list[Record]:
        return [row_record(renamed(row, names), picture, require_answers, labels, task)]

    checks.setdefault("most_bad", MOST_BAD_ROWS)
    checks.setdefault("check_images", True)
    return collect(str(path), read_lines(path), make, **checks)
