"""Split data by image, and refuse parts that share images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from ..core.errors import InputError
from ..core.formatting import counted
from ..core.progress import busy
from ..core.validation import Problems
from .given_records import Examples, as_records
from .pictures import Picture, Placed, byte_size, digest
from .record import Record
from .records import Records

#: Bytes at a file's end that are compared before the whole file is.
_TAIL = 4096


def split_by_image(records: Examples, share: float, seed: int, part: str = "validation") -> tuple[Records, Records]:
    """Hold out ``share`` of the *images* with all their questions; returns (remaining, held out).

    ``records`` may also be rows, as :func:`skiptune.records` takes them. ``part`` is the name of the held-out part in
    errors.

    Records that share an image, by path or by content (byte-identical files), or a ``group``, also by way of others,
    count as one image and stay together; so do records without images that have the same texts.

    Raises:
        InputError: one of the two parts would be empty.
    """
    whole = Records.of(as_records(records))
    unit = _units(whole)
    pictures = whole.table.pictures.num_rows
    names = {
        number: str(whole.table.picture(number)) if number < pictures else f"text {number}"
        for number in map(int, np.unique(unit))
    }
    images = sorted(names, key=lambda number: names[number])
    count = round(share * len(images))
    if not 0 < count < len(images):
        raise InputError(
            f"{part} share {share} of {len(images)} images leaves {count} for {part} and "
            f"{len(images) - count} for training; both need at least one "
            "(equal files count once, and so do images that rows have together, also by way of others)"
        )
    order = np.random.default_rng(seed).permutation(len(images))
    heldout = np.isin(unit, [images[number] for number in order[:count]])
    return whole.select(np.flatnonzero(~heldout)), whole.select(np.flatnonzero(heldout))


def count_images(records: Sequence[Record]) -> int:
    """The images of ``records``; those that :func:`split_by_image` keeps together count as one."""
    return len(np.unique(_units(Records.of(records))))


def _units(records: Records) -> np.ndarray:
    """For every record, the number of the image that represents its group of tied images.

    Records without images have numbers above those of all images; those of one group, or with the same texts, one.
    """
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
    further = table.further_images(rows)
    several = np.isin(rows, list(further))
    for row in np.flatnonzero((first >= 0) & ((second >= 0) | several | (groups != ""))):
        image = int(first[row])
        tied = [int(second[row])] if second[row] >= 0 else []
        tied += further.get(int(rows[row]), [])
        if groups[row]:
            tied.append(of_group.setdefault(groups[row], image))
        for other in tied:
            low, high = sorted((root(image), root(other)))
            parent[high] = low
    others = np.array([number for numbers in further.values() for number in numbers], dtype=np.int64)
    used = [int(number) for number in np.unique(np.concatenate((first, second, others))) if number >= 0]
    numbers = {table.picture(number): number for number in used}
    for group in same_content(numbers, lambda group: len(group) > 1):
        for picture in group[1:]:
            low, high = sorted((root(numbers[group[0]]), root(numbers[picture])))
            parent[high] = low
    roots = np.array([root(number) for number in range(len(parent))], dtype=np.int64)
    found = np.asarray(roots[first]) if len(roots) else np.full(len(first), -1)  # no image at all
    without = np.flatnonzero(first < 0)
    texts: dict[object, int] = {}
    for row, record in zip(without, records.select(without), strict=True):
        key = record.group or (record.text, record.turns)
        tied_to = of_group.get(record.group)
        found[row] = texts.setdefault(key, len(parent) + len(texts)) if tied_to is None else roots[tied_to]
    return found


@busy("comparing images")
def check_disjoint(parts: dict[str, Sequence[Record]]) -> None:
    """Refuse parts that share an image, by path or by content (byte-identical files).

    Files are compared by size, then by their last bytes; only files that are still equal are read whole.

    Raises:
        InputError: names the parts, how many images they share, and one of them.
    """
    problems = Problems("parts of the data share images, so held-out numbers would be too good")
    images = {name: set(map(resolved, Records.of(records).pictures())) for name, records in parts.items()}
    owners: dict[Placed, set[str]] = defaultdict(set)
    for name, pictures in images.items():
        for picture in pictures:
            owners[picture].add(name)

    def across(group: list[Placed]) -> bool:
        return len(set().union(*(owners[picture] for picture in group))) > 1

    groups = same_content(owners, across)
    names = list(parts)
    for k, first in enumerate(names):
        for second in names[k + 1 :]:
            shared = [group for group in groups if {first, second} <= set().union(*map(owners.__getitem__, group))]
            if shared:  # copies of an image count once
                example = min(str(picture) for group in shared for picture in group if second in owners[picture])
                problems.add(f"{first} and {second} share {counted(len(shared), 'images')}, e.g. {example}")
    problems.raise_any()


def resolved(picture: Picture) -> Placed:
    """The picture, a file without links in its path."""
    return picture.resolve() if isinstance(picture, Path) else picture  # type: ignore[return-value]


def same_content(pictures: Iterable[Placed], wanted: Callable[[list[Placed]], bool]) -> list[list[Placed]]:
    """Groups of pictures with the same bytes, those that are ``wanted``.

    Sizes are compared first, then the last bytes; only pictures that are still equal and longer are read whole; groups
    that are not wanted, and those of one picture, are not read any further.
    """

    def end(picture: Placed) -> str:
        return digest(picture, _TAIL)

    def whole(picture: Placed) -> str:
        return digest(picture) if byte_size(picture) > _TAIL else ""

    groups = [list(pictures)]
    for key in (byte_size, end, whole):
        found: list[list[Placed]] = []
        for group in groups:
            by_key: dict[int | str, list[Placed]] = defaultdict(list)
            for picture in group:
                by_key[key(picture) if len(group) > 1 else ""].append(picture)
            found += by_key.values()
        groups = [group for group in found if wanted(group)]
    return groups
