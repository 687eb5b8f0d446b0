"""What is found in data, grouped by kind and part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from .kinds import KINDS

#: A fault would spoil a training or its numbers; a remark is worth a look.
Level: TypeAlias = Literal["fault", "remark"]
#: Examples that a group keeps, and those that are printed.
KEPT, SHOWN = 10_000, 5


@dataclass(frozen=True)
class Example:
    """One of the things found.

    Attributes:
        place: file and row, or the image.
        said: what is wrong there.
    """

    place: str
    said: str


@dataclass(frozen=True)
class Finding:
    """A group of things of one kind in one part.

    Attributes:
        kind: its name, a key of :data:`~skiptune.checking.kinds.KINDS`.
        level: ``fault`` or ``remark``.
        part: ``train``, ``validation``, …; two names where it is between parts.
        count: how many rows, or images, it is about.
        of: how many were looked at.
        what: the kind in words.
        advice: what to do.
        examples: the first 10,000.
    """

    kind: str
    level: Level
    part: str
    count: int
    of: int
    what: str
    advice: str
    examples: tuple[Example, ...]


@dataclass
class _Group:
    count: int = 0
    places: set[str] = field(default_factory=set)
    examples: list[Example] = field(default_factory=list)


class Findings:
    """Collects what is found."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], _Group] = {}
        self._looked_at: dict[tuple[str, str], int] = {}

    def add(self, kind: str, part: str, place: str, said: str) -> None:
        """One more of a ``kind``; a place counts once for each."""
        group = self._groups.setdefault((kind, part), _Group())
        if place in group.places:
            return
        group.places.add(place)
        group.count += 1
        if len(group.examples) < KEPT:
            group.examples.append(Example(place, said))

    def looked_at(self, kinds: Iterable[str], part: str, count: int) -> None:
        """Of how many rows, or images, findings of these kinds are."""
        self._looked_at.update(((kind, part), count) for kind in kinds)

    def finish(self, rows: dict[str, int]) -> tuple[Finding, ...]:
        """All groups, faults first; ``rows`` is how many each part has."""
        found = []
        for (kind, part), group in self._groups.items():
            of = self._looked_at.get((kind, part), rows.get(part, group.count))
            about = KINDS[kind]
            level: Level = "remark" if group.count <= about.remark_up_to * of else "fault"
            found.append(Finding(kind, level, part, group.count, of, about.what, about.advice, tuple(group.examples)))
        order, parts = list(KINDS), [part for _, part in self._groups]
        return tuple(
            sorted(found, key=lambda each: (each.level != "fault", order.index(each.kind), parts.index(each.part)))
        )
