"""SNLI-VE: does a Flickr30k photograph entail a sentence, contradict it, or neither?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..record import Record
from ..records import Records
from .collecting import Entry, RowChecks, collect, image_folder, label_of, read_lines, text_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

_NO_AGREEMENT = "-"


def read_snli_ve(
    path: str | Path,
    images: str | Path,
    **checks: Unpack[RowChecks],
) -> Records:
    """Hypotheses about photographs, labelled 0 contradiction, 1 neutral, 2 entailment.

    Rows labelled ``-``, about which annotators did not agree, are left out; ``unlabelled`` of the result counts them.

    Args:
        path: e.g. ``snli_ve_train.jsonl``.
        images: folder of Flickr30k's images, ``<Flickr30K_ID>.jpg``.
        checks: see :class:`skiptune.data.readers.collecting.RowChecks`.

    Raises:
        InputError: a file is missing or not of the published form, or too many rows are bad.
    """
    folder = image_folder(images)
    unlabelled = 0

    def entries() -> Iterator[Entry]:
        nonlocal unlabelled
        for place, row in read_lines(path):
            if isinstance(row, dict) and row.get("gold_label") == _NO_AGREEMENT:
                unlabelled += 1
            else:
                yield place, row

    def make(row: Any) -> list[Record]:
        text, name = text_of(row, "sentence2"), text_of(row, "Flickr30K_ID")
        return [
            Record(folder / f"{name}.jpg", text, label=label_of(row.get("gold_label")), id=str(row.get("pairID", "")))
        ]

    found = collect(str(path), entries(), make, **checks)
    found.unlabelled = unlabelled
    return found
