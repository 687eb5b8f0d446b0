"""The table of data formats: the reader of each, and the fields it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .conversations.names import DIALECT_NAMES, DialectName

if TYPE_CHECKING:
    from ..records import Records
    from .collecting import RowChecks


#: The names of the formats, which recipes are checked against.
Format = Literal[
    "jsonl", "csv", "vqav2", "nlvr2", "nlvr", "karpathy", "snli-ve", "arrow", "dataset", "imagefolder", DialectName
]


@dataclass(frozen=True)
class Files:
    """The files of one part of the data.

    Attributes:
        path: the file or folder; Arrow tables may be several.
        images: folder of the images.
        annotations: VQAv2's file of answers; ``None`` where they are not published.
        split: which part of the file, or of the images.
        columns: our field → the dataset's column.
        log: where bad rows are named.
        most_bad: the share of bad rows above which the file is refused; ``None``: the reader's default.
        of_task: how the reader tells rows of the task; empty: rows of all tasks are read.
        require_answers: whether a row without an answer, label or value is bad.
    """

    path: tuple[str, ...]
    images: str | None = None
    annotations: str | None = None
    split: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    log: Path | None = None
    most_bad: float | None = None
    of_task: RowChecks = field(default_factory=dict)  # type: ignore[assignment]
    require_answers: bool = True

    @property
    def checks(self) -> RowChecks:
        """How the reader treats bad rows."""
        found: RowChecks = {**self.of_task, "log": self.log}
        if self.most_bad is not None:
            found["most_bad"] = self.most_bad
        return found


@dataclass(frozen=True)
class Source:
    """A format: how a part is read, the fields it needs beside the path, and those it may have."""

    read: Callable[[Files], Records]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


def _jsonl(files: Files) -> Records:
    from .jsonl import read_jsonl

    return read_jsonl(files.path[0], str(files.images), files.require_answers, files.columns, **files.checks)


def _csv(files: Files) -> Records:
    from .csv_table import read_csv

    return read_csv(files.path[0], str(files.images), files.columns, files.require_answers, **files.checks)


def _vqav2(files: Files) -> Records:
    from .vqav2 import read_vqav2

    path, images = files.path[0], str(files.images)
    return read_vqav2(path, files.annotations, images, files.split, **files.checks)


def _nlvr2(files: Files) -> Records:
    from .nlvr import read_nlvr2

    return read_nlvr2(files.path[0], str(files.images), files.require_answers, **files.checks)


def _nlvr(files: Files) -> Records:
    from .nlvr import read_nlvr

    return read_nlvr(files.path[0], str(files.images), files.require_answers, **files.checks)


def _karpathy(files: Files) -> Records:
    from .karpathy import read_karpathy

    return read_karpathy(files.path[0], str(files.images), str(files.split), **files.checks)


def _snli_ve(files: Files) -> Records:
    from .snli_ve import read_snli_ve

    return read_snli_ve(files.path[0], str(files.images), files.require_answers, **files.checks)


def _arrow(files: Files) -> Records:
    from .arrow import read_arrow

    return read_arrow(files.path, files.require_answers, **files.checks)


def _imagefolder(files: Files) -> Records:
    from .image_folder import read_image_folder

    return read_image_folder(files.path[0], **files.checks)


def _dataset(files: Files) -> Records:
    from .hf_dataset import read_dataset

    path, answers = files.path[0], files.require_answers
    return read_dataset(path, files.split, files.columns, files.images, answers, **files.checks)


def _conversations(dialect: DialectName) -> Source:
    def read(files: Files) -> Records:
        from .conversation_files import read_conversations

        path, answers = files.path[0], files.require_answers
        return read_conversations(path, dialect, files.images, answers, files.columns, **files.checks)

    return Source(read, takes=("images", "columns"))


#: Readers are imported when they read: a recipe is checked without the libraries that they need.
SOURCES: Mapping[str, Source] = {
    "jsonl": Source(_jsonl, needs=("images",), takes=("columns",)),
    "csv": Source(_csv, needs=("images",), takes=("columns",)),
    "vqav2": Source(_vqav2, needs=("images",), takes=("annotations", "split")),
    "nlvr2": Source(_nlvr2, needs=("images",)),
    "nlvr": Source(_nlvr, needs=("images",)),
    "karpathy": Source(_karpathy, needs=("images", "split")),
    "snli-ve": Source(_snli_ve, needs=("images",)),
    "arrow": Source(_arrow),
    "imagefolder": Source(_imagefolder),
    "dataset": Source(_dataset, takes=("images", "split", "columns")),
    **{name: _conversations(name) for name in DIALECT_NAMES},
}
