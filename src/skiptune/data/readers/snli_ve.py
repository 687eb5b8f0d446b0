"""SNLI-VE: does a Flickr30k photograph entail a sentence, contradict it, or neither?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..record import Record
from ..records import Records
from .collecting import Entry, RowChecks, collect, image_folder
from .json_lines import read_lines
from .values import id_of, label_of, name_of, text_of, value_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

_NO_AGREEMENT = "-"
_LABELS = ("contradiction", "neutral", "entailment")


def read_snli_ve(
    path: str | Path,
    images: str | Path,
    require_answers: bool = True,
    **checks: Unpack[RowChecks],
) -> Records:
    """Hypotheses about photographs, labelled 0 contradiction, 1 neutral, 2 entailment.

    Rows labelled ``-``, about which annotators did not agree, are left out; ``unlabelled`` of the result counts them.

    Args:
        path: e.g. ``snli_ve_train.jsonl``.
        images: folder of Flickr30k's images, ``<Flickr30K_ID>.jpg``.
        require_answers: whether a row without a label is bad, or left out; if not, its label is ``None``.
        checks: see :class:`skiptune.data.readers.collecting.RowChecks`.

    Raises:
        InputError: a file is missing or not of the published form, or too many rows are bad.
    """
    folder = image_folder(images)
    unlabelled = 0

    def entries() -> Iterator[Entry]:
        nonlocal unlabelled
        for place, row in read_lines(path):
            if require_answers and isinstance(row, dict) and row.get("gold_label") == _NO_AGREEMENT:
                unlabelled += 1
            else:
                yield place, row

    def make(row: Any) -> list[Record]:
        given = value_of(row, "gold_label")
        unknown = not require_answers and given in (None, _NO_AGREEMENT)
        label = None if unknown else label_of(given, _LABELS)
        image = folder / f"{name_of(row, 'Flickr30K_ID')}.jpg"
        return [Record(image, text_of(row, "sentence2"), label=label, id=id_of(row, "pairID"))]

    found = collect(str(path), entries(), make, **checks)
    found.unlabelled = unlabelled
    return found
