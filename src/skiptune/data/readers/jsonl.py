"""A JSON-lines file beside a folder of images: questions, sentences about one or two images, or captions.

``answers`` is a list of strings as annotators gave them, or a mapping from answer to count. Counts become the usual
soft scores of VQA, ``min(1, 0.3 · count)``; a single ``answer`` scores 1. See
:func:`skiptune.data.readers.row_to_record.row_record`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..record import Record
from ..records import Records
from .collecting import Row, collect, image_folder, read_lines, text_of
from .row_to_record import row_record

#: Your own files may have more bad rows than published ones.
MOST_BAD_ROWS = 0.2


def read_jsonl(
    path: str | Path,
    images: str | Path,
    require_answers: bool = True,
    most_bad: float = MOST_BAD_ROWS,
    log: str | Path | None = None,
    check_images: bool = True,
) -> Records:
    """Read records line by line. A bad row is left out, counted, and reported in ``bad``.

    Args:
        path: the JSON-lines file.
        images: the folder that ``image`` and ``image2`` are relative to.
        require_answers: whether a row without an answer or label is bad.
        most_bad: the share of bad rows above which the whole file is refused.
        log: file that names every bad row; replaced if it exists, and written only if there is a bad row.
        check_images: open every image file once; otherwise only presence and size are checked.

    Raises:
        InputError: no such file or folder, no usable row, or more than ``most_bad`` of them bad.
    """
    folder = image_folder(images)

    def picture(row: Row, name: str) -> Path:
        return folder / text_of(row, name)

    def make(row: Any) -> list[Record]:
        return [row_record(row, picture, require_answers)]

    return collect(str(path), read_lines(path), make, most_bad=most_bad, log=log, check_images=check_images)
