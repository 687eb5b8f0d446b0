"""One example of a task, a table of them, and how tables are split and checked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np

from ..checks import Problems
from ..errors import InputError
from .pictures import Picture, Stored, byte_size, digest
from .table import BATCH, Table, TableWriter

#: Bytes at a file's end that are compared before the whole file is.
_TAIL = 4096
_SHOWN = 5


@dataclass(frozen=True)
class Record:
    """One example.

    Visual question answering uses ``image``, ``text`` and ``answers``; reasoning over pairs ``image``, ``image2``,
    ``text`` and ``label``; entailment ``image``, ``text`` and ``label``; retrieval ``image`` and ``captions``.

    Attributes:
        image: where the image is.
        text: question, sentence or hypothesis.
        answers: accepted answers with their scores in (0, 1]; empty when none is known.
        image2: the second image of a pair.
        label: 0 or 1 (false, true) for reasoning; 0, 1, 2 (contradiction, neutral, entailment) for entailment.
        captions: texts that all describe the image.
        given: what each annotator answered, for the official accuracy.
        majority: the answer most annotators gave, as published; vocabularies count it.
        id: the set's own name of the example, e.g. VQAv2's question id.
        group: examples of one group belong into one part of a split; empty when only the images matter.
    """

    image: Picture
    text: str = ""
    answers: dict[str, float] = field(default_factory=dict)
    image2: Picture | None = None
    label: int | None = None
    captions: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    majority: str = ""
    id: str = ""
    group: str = ""

    @property
    def question(self) -> str:
        """The text, as visual question answering calls it."""
        return self.text

    @property
    def images(self) -> tuple[Picture, ...]:
        """The one or two images."""
        return (self.image,) if self.image2 is None else (self.image, self.image2)


class Records(Sequence[Record]):
    """Records made from the columns of a :class:`Table` when asked for; selections share the table.

    Attributes:
        source: the file they are from.
        rows: how many rows the reader saw, good and bad.
        bad: what was wrong with rows that were left out.
        unlabelled: rows left out because the set gives them no label.
    """

    def __init__(
        self, source: str, table: Table, numbers: np.ndarray | None = None, rows: int = 0, bad: Sequence[str] = ()
    ) -> None:
        self.source = source
        self.table = table
        self.numbers = np.arange(len(table)) if numbers is None else numbers
        self.rows = rows or len(self.numbers)
        self.bad = list(bad)
        self.unlabelled = 0

    @classmethod
    def of(cls, records: Iterable[Record], source: str = "records") -> Records:
        """A table of given records, whose images are files or stored."""
        if isinstance(records, Records):
            return records
        writer = TableWriter()
        for record in records:
            add_record(writer, record)
        return cls(source, writer.finish())

    @property
    def items(self) -> Records:
        """The records themselves."""
        return self

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Records: ...
    def __getitem__(self, index: int | slice) -> Record | Records:
        if isinstance(index, slice):
            return self.select(np.arange(len(self))[index])
        return self._record(self.table.row(int(self.numbers[index])))

    def __iter__(self) -> Iterator[Record]:
        """All records; rows that follow each other in the table are read together."""
        for start in range(0, len(self), BATCH):
            numbers = self.numbers[start : start + BATCH]
            cuts = np.flatnonzero((np.diff(numbers) != 1) | (numbers[1:] % BATCH == 0)) + 1
            for run in np.split(numbers, cuts):
                batch, place = divmod(int(run[0]), BATCH)
                for row in self.table.batches[batch].slice(place, len(run)).to_pylist():
                    yield self._record(row)

    def select(self, rows: Sequence[int] | np.ndarray) -> Records:
        """The records in ``rows``, in that order."""
        return Records(self.source, self.table, self.numbers[np.asarray(rows, dtype=np.int64)])

    def pictures(self) -> list[Path | Stored]:
        """The distinct images, each once."""
        used = np.unique(np.concatenate([self.table.images(name)[self.numbers] for name in ("image", "image2")]))
        return [self.table.picture(int(number)) for number in used if number >= 0]

    def _record(self, row: dict[str, Any]) -> Record:
        second = row["image2"]
        return Record(
            self.table.picture(row["image"]),
            row["text"],
            dict(zip(row["answers"], row["scores"], strict=True)),
            None if second is None else self.table.picture(second),
            row["label"],
            tuple(row["captions"]),
            tuple(row["given"]),
            row["majority"],
            row["id"],
            row["group"],
        )


def add_record(writer: TableWriter, record: Record) -> None:
    """Append a record to a table.

    Raises:
        InputError: an image of it is in memory, not a file or stored.
    """
    numbers = []
    for picture in record.images:
        if not isinstance(picture, Path | Stored):
            raise InputError(f"image: {type(picture).__name__} in memory; a table holds images by file only")
        numbers.append(writer.number(picture))
    writer.add(
        (
            numbers[0],
            numbers[1] if len(numbers) > 1 else None,
            record.text,
            list(record.answers),
            list(record.answers.values()),
            record.label,
            record.captions,
            record.given,
            record.majority,
            record.id,
            record.group,
        )
    )


def refuse_bad(source: str, count: int, rows: int, bad: Sequence[str], most_bad: float) -> None:
    """Refuse an empty set, and one in which more than ``most_bad`` of the rows are bad.

    Raises:
        InputError: names the file and the first bad rows.
    """
    if bad and (not count or len(bad) > most_bad * rows):
        shown = [f"  - {text}" for text in bad[:_SHOWN]]
        more = [f"  … and {len(bad) - _SHOWN} more"] if len(bad) > _SHOWN else []
        raise InputError("\n".join([f"{source}: {len(bad)} of {rows} rows are bad:", *shown, *more]))
    if not count:
        raise InputError(f"{source}: no records in it")


def split_by_image(
    records: Sequence[Record], share: float, seed: int, part: str = "validation"
) -> tuple[Records, Records]:
    """Cut ``share`` of the *images*, with all their questions, off as a held-out part; returns (kept, held out).

    ``part`` is what errors call the part that is cut off.

    Records that share an image, by path or by content (byte-identical files), or a ``group``, also by way of others,
    count as one image and stay together.

    Raises:
        InputError: one of the two parts would be empty.
    """
    whole = Records.of(records)
    unit = _units(whole)
    names = {int(number): str(whole.table.picture(int(number))) for number in np.unique(unit)}
    images = sorted(names, key=lambda number: names[number])
    count = round(share * len(images))
    if not 0 < count < len(images):
        raise InputError(
            f"{part} share {share} of {len(images)} images leaves {count} for {part} and "
            f"{len(images) - count} for training; both need at least one"
        )
    order = np.random.default_rng(seed).permutation(len(images))
    heldout = np.isin(unit, [images[number] for number in order[:count]])
    return whole.select(np.flatnonzero(~heldout)), whole.select(np.flatnonzero(heldout))


def _units(records: Records) -> np.ndarray:
    """For every record the number of an image that stands for all that it is tied to."""
    table, rows = records.table, records.numbers
    first, second = table.images("image")[rows], table.images("image2")[rows]
    groups = table.column("group").to_numpy()[rows]
    parent = np.arange(table.pictures.num_rows)

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    of_group: dict[str, int] = {}
    for row in np.flatnonzero((second >= 0) | (groups != "")):
        image = int(first[row])
        tied = [int(second[row])] if second[row] >= 0 else []
        if groups[row]:
            tied.append(of_group.setdefault(groups[row], image))
        for other in tied:
            low, high = sorted((root(image), root(other)))
            parent[high] = low
    used = [int(number) for number in np.unique(np.concatenate((first, second))) if number >= 0]
    numbers = {table.picture(number): number for number in used}
    for group in _alike(numbers, lambda group: len(group) > 1):
        for picture in group[1:]:
            low, high = sorted((root(numbers[group[0]]), root(numbers[picture])))
            parent[high] = low
    roots = np.array([root(number) for number in range(len(parent))], dtype=np.int64)
    return np.asarray(roots[first])


def check_disjoint(parts: dict[str, Sequence[Record]]) -> None:
    """Refuse parts that share an image, by path or by content (byte-identical files).

    Files are compared by size, then by their last bytes, and only what is still alike is read whole.

    Raises:
        InputError: names the parts, how many images they share, and one of them.
    """
    problems = Problems("parts of the data share images, so held-out numbers would be too good")
    images = {name: set(map(_resolved, Records.of(records).pictures())) for name, records in parts.items()}
    owners: dict[Path | Stored, set[str]] = defaultdict(set)
    for name, pictures in images.items():
        for picture in pictures:
            owners[picture].add(name)

    def across(group: list[Path | Stored]) -> bool:
        return len(set().union(*(owners[picture] for picture in group))) > 1

    groups = _alike(owners, across)
    names = list(parts)
    for k, first in enumerate(names):
        for second in names[k + 1 :]:
            both = [group for group in groups if any(first in owners[picture] for picture in group)]
            shared = {picture for group in both for picture in group if second in owners[picture]}
            if shared:
                example = min(map(str, shared))
                problems.add(f"{first} and {second} share {len(shared)} images, e.g. {example}")
    problems.raise_any()


def _resolved(picture: Path | Stored) -> Path | Stored:
    return picture.resolve() if isinstance(picture, Path) else picture


def _alike(
    pictures: Iterable[Path | Stored], wanted: Callable[[list[Path | Stored]], bool]
) -> list[list[Path | Stored]]:
    """Groups of pictures with the same bytes, those that are ``wanted``.

    Sizes are compared first, then the last bytes, and only what is still alike and longer is read whole; groups that
    are not wanted, and those of one picture, are not read any further.
    """

    def end(picture: Path | Stored) -> str:
        return digest(picture, _TAIL)

    def whole(picture: Path | Stored) -> str:
        return digest(picture) if byte_size(picture) > _TAIL else ""

    groups = [list(pictures)]
    for key in (byte_size, end, whole):
        found: list[list[Path | Stored]] = []
        for group in groups:
            by_key: dict[int | str, list[Path | Stored]] = defaultdict(list)
            for picture in group:
                by_key[key(picture) if len(group) > 1 else ""].append(picture)
            found += by_key.values()
        groups = [group for group in found if wanted(group)]
    return groups
