"""A question about an image with its accepted answers, and how sets of them are split and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..checks import Problems
from ..errors import InputError

#: A reader gives up when more than this share of the rows is unusable: then the file, not a row, is wrong.
MOST_BAD_ROWS = 0.2
_SHOWN = 5


@dataclass(frozen=True)
class Record:
    """One example. ``answers`` maps an accepted answer to its score in (0, 1]; empty when it is not known."""

    image: Path
    question: str
    answers: dict[str, float]


@dataclass
class Records:
    """What a reader found: usable records, how many rows it read, and what was wrong with the others."""

    source: str
    items: list[Record] = field(default_factory=list)
    rows: int = 0
    bad: list[str] = field(default_factory=list)

    def check(self) -> Records:
        """Refuse an empty set, and one in which too many rows are bad; returns ``self``.

        Raises:
            InputError: names the file and the first bad rows.
        """
        if self.bad and (not self.items or len(self.bad) > MOST_BAD_ROWS * self.rows):
            shown = [f"  - {text}" for text in self.bad[:_SHOWN]]
            more = [f"  … and {len(self.bad) - _SHOWN} more"] if len(self.bad) > _SHOWN else []
            raise InputError("\n".join([f"{self.source}: {len(self.bad)} of {self.rows} rows are bad:", *shown, *more]))
        if not self.items:
            raise InputError(f"{self.source}: no records in it")
        return self


def split_by_image(records: Sequence[Record], share: float, seed: int) -> tuple[list[Record], list[Record]]:
    """Cut ``share`` of the *images*, with all their questions, off as a held-out part; returns (kept, held out).

    Raises:
        InputError: one of the two parts would be empty.
    """
    images = sorted({str(record.image) for record in records})
    count = round(share * len(images))
    if not 0 < count < len(images):
        raise InputError(
            f"validation share {share} of {len(images)} images leaves {count} for validation and "
            f"{len(images) - count} for training; both need at least one"
        )
    order = np.random.default_rng(seed).permutation(len(images))
    heldout = {images[number] for number in order[:count]}
    kept = [record for record in records if str(record.image) not in heldout]
    return kept, [record for record in records if str(record.image) in heldout]


def check_disjoint(parts: dict[str, Sequence[Record]]) -> None:
    """Refuse parts that share an image, by path or by content (byte-identical files).

    Raises:
        InputError: names the parts, how many images they share, and one of them.
    """
    problems = Problems("parts of the data share images, so held-out numbers would be too good")
    images = {name: {record.image.resolve() for record in records} for name, records in parts.items()}
    digests = {name: {_digest(path): path for path in sorted(paths)} for name, paths in images.items()}
    names = list(parts)
    for k, first in enumerate(names):
        for second in names[k + 1 :]:
            shared = digests[first].keys() & digests[second].keys()
            if shared:
                example = min(digests[second][digest] for digest in shared)
                problems.add(f"{first} and {second} share {len(shared)} images, e.g. {example}")
    problems.raise_any()


def _digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
