"""NLVR2 and NLVR: is a sentence true of a pair of photographs, or of one drawing?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import InputError
from ..record import Record
from ..records import Records
from .collecting import RowChecks, collect, image_folder, there
from .json_lines import read_lines
from .values import label_of, name_of, text_of, value_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

_LABELS = ("false", "true")


def read_nlvr2(
    path: str | Path,
    images: str | Path,
    require_answers: bool = True,
    **checks: Unpack[RowChecks],
) -> Records:
    """Sentences about pairs of images, from the published JSON lines.

    Pairs of one set of photographs (``train-4100``) form a group. ``id`` is the published identifier: sentences that
    share all but its third part form a group for consistency.

    Args:
        path: e.g. ``train.json`` or ``dev.json``.
        images: folder with ``train-4100-0-img0.png``, … in it, in a folder named by the row's ``directory``
            (training images come in a hundred of them), or in either of them inside ``train``, ``dev``, …
        require_answers: whether a row without a label is bad.
        checks: see :class:`skiptune.data.readers.collecting.RowChecks`.

    Raises:
        InputError: a file is missing or not of the published form, or too many rows are bad.
    """
    folder = image_folder(images)

    def make(row: Any) -> list[Record]:
        text, identifier = text_of(row, "sentence"), text_of(row, "identifier")
        parts = identifier.split("-")
        if len(parts) != 4:
            raise InputError(f"identifier: {identifier!r} is not of the form split-set-pair-sentence")
        pair, where = "-".join(parts[:3]), _pair_folder(folder, parts[0], row.get("directory"), "-".join(parts[:3]))
        first, second = (where / f"{pair}-img{number}.png" for number in (0, 1))
        group = "-".join(parts[:2])
        return [Record(first, text, image2=second, label=_label(row, require_answers), id=identifier, group=group)]

    return collect(str(path), read_lines(path), make, **checks)


def _label(row: Any, required: bool) -> int | None:
    given = value_of(row, "label")
    return label_of(given, _LABELS) if required or given is not None else None


def _pair_folder(folder: Path, part: str, directory: Any, pair: str) -> Path:
    """The folder with the images of a pair; ``folder`` itself if they are not found."""
    names = [] if directory is None else [str(directory), f"{part}/{directory}", f"images/{part}/{directory}"]
    for name in (*names, part):
        if there(folder / name / f"{pair}-img0.png"):
            return folder / name
    return folder


def read_nlvr(
    path: str | Path,
    images: str | Path,
    require_answers: bool = True,
    **checks: Unpack[RowChecks],
) -> Records:
    """Sentences about single drawings, from JSON lines of ``image``, ``sentence`` and ``label``.

    Drawings ``dev-12-*`` are variants of one, whose sentence and label they share: they form a group.

    Raises:
        InputError: a file is missing or not of this form, or too many rows are bad.
    """
    folder = image_folder(images)

    def make(row: Any) -> list[Record]:
        name = name_of(row, "image")
        group = "-".join(Path(name).stem.split("-")[:2])
        text = text_of(row, "sentence")
        return [Record(folder / name, text, label=_label(row, require_answers), id=Path(name).stem, group=group)]

    return collect(str(path), read_lines(path), make, **checks)
