"""Which reader a recipe's data goes through: the table of formats, and what each needs to be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..records import Records
from .arrow import read_arrow
from .hf_dataset import read_dataset
from .jsonl import read_jsonl
from .karpathy import read_karpathy
from .nlvr import read_nlvr, read_nlvr2
from .snli_ve import read_snli_ve
from .vqav2 import read_vqav2


@dataclass(frozen=True)
class Files:
    """What one part of the data is read from.

    Attributes:
        path: the file or folder; Arrow tables may be several.
        images: folder of the images.
        annotations: VQAv2's file of answers; ``None`` where they are kept secret.
        split: which part of the file, or of the images.
        columns: our field → the dataset's column.
        log: where bad rows are named.
        most_bad: the share of bad rows above which the whole is refused; ``None``: the reader's own.
    """

    path: tuple[str, ...]
    images: str | None = None
    annotations: str | None = None
    split: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    log: Path | None = None
    most_bad: float | None = None

    @property
    def limits(self) -> dict[str, Any]:
        """``most_bad`` where it is given."""
        return {} if self.most_bad is None else {"most_bad": self.most_bad}


@dataclass(frozen=True)
class Source:
    """A format: how a part is read, the fields it needs beside the path, and those it may have."""

    read: Callable[[Files], Records]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


SOURCES: dict[str, Source] = {
    "jsonl": Source(lambda f: read_jsonl(f.path[0], str(f.images), log=f.log, **f.limits), ("images",)),
    "vqav2": Source(
        lambda f: read_vqav2(f.path[0], f.annotations, str(f.images), f.split, log=f.log, **f.limits),
        ("images",),
        ("annotations", "split"),
    ),
    "nlvr2": Source(lambda f: read_nlvr2(f.path[0], str(f.images), log=f.log, **f.limits), ("images",)),
    "nlvr": Source(lambda f: read_nlvr(f.path[0], str(f.images), log=f.log, **f.limits), ("images",)),
    "karpathy": Source(
        lambda f: read_karpathy(f.path[0], str(f.images), str(f.split), log=f.log, **f.limits), ("images", "split")
    ),
    "snli-ve": Source(lambda f: read_snli_ve(f.path[0], str(f.images), log=f.log, **f.limits), ("images",)),
    "arrow": Source(lambda f: read_arrow(f.path, log=f.log, **f.limits)),
    "dataset": Source(
        lambda f: read_dataset(f.path[0], f.split, f.columns, f.images, log=f.log, **f.limits),
        (),
        ("images", "split", "columns"),
    ),
}
