"""Rows that are there twice, that contradict each other, and images that very many rows have."""

from __future__ import annotations

from collections import Counter
from statistics import median

from ..data.record import Record
from .finding import Findings
from .picture_checks import Pictures
from .said import Said, context_of, shortened

#: Words up to which an answer is right or wrong: longer ones differ though both may be right.
_SHORT = 5
#: Rows of one image from which on they may be very many: so many, so many times the median, or this share of all.
_MANY_ROWS, _MANY_TIMES, _MOST_OF_ALL = 20, 10, 0.5
_FEWEST = 10


class Repeats:
    """Compares the rows of one part with each other.

    Attributes:
        rows: a key of each row, equal for equal ones, with its place.
        without_image: the keys of rows without images.
        texts: keys of all that a row says, whatever its images, with its place.
        images: keys of images, with the place of a row.
    """

    def __init__(self, part: str, pictures: Pictures) -> None:
        self.part, self.pictures = part, pictures
        self.rows: dict[int, str] = {}
        self.without_image: set[int] = set()
        self.texts: dict[int, str] = {}
        self.images: dict[object, str] = {}
        self.count = 0
        self._answers: dict[int, tuple[frozenset[str], str]] = {}
        self._ids: dict[str, tuple[int, str]] = {}
        self._uses: Counter[object] = Counter()

    def add(self, place: str, record: Record, said: Said, findings: Findings) -> None:
        """Compare a row with those before it."""
        self.count += 1
        images = tuple(self.pictures.key(picture) for picture in record.images)
        for key in set(images):
            self._uses[key] += 1
            self.images.setdefault(key, place)
        texts = hash((said.texts, record.turns, record.options))
        key = hash((images, texts))
        if (first := self.rows.setdefault(key, place)) != place:
            findings.add("duplicate", self.part, place, f"the same images and texts as {beside(first, place)}")
        if len(set(images)) < len(images):
            findings.add("repeated_image", self.part, place, f"{len(set(images))} of {len(images)} images differ")
        if not images:
            self.without_image.add(key)
        self.texts.setdefault(texts, place)
        self._compare_answers(place, record, said, images, findings)
        if record.id:
            before, first = self._ids.setdefault(record.id, (key, place))
            if before != key:
                findings.add("duplicate_id", self.part, place, f"the id {record.id!r}, as {beside(first, place)}")

    def _compare_answers(
        self, place: str, record: Record, said: Said, images: tuple[object, ...], findings: Findings
    ) -> None:
        answers = said.answers[-1:] if record.turns else said.answers
        if record.captions or record.labels is not None or not answers or len(answers[0].split()) > _SHORT:
            return
        now = frozenset(map(_plain, answers))
        key = hash((images, context_of(record)))
        before, first = self._answers.setdefault(key, (now, place))
        if not before & now:
            asked, other = shortened(said.question) or "the image", beside(first, place)
            told = f"{asked!r}: {_listed(now)}; {other}: {_listed(before)}"
            findings.add("contradiction", self.part, place, told)

    def finish(self, findings: Findings) -> None:
        """Tell of images that very many rows have."""
        if not self._uses:
            return
        usual, most = median(self._uses.values()), max(_MANY_ROWS, _MOST_OF_ALL * self.count)
        for key, uses in self._uses.most_common(20):
            unusual = uses > max(_MANY_ROWS, _MANY_TIMES * usual)
            half = len(self._uses) > 1 and self.count >= _FEWEST and uses > _MOST_OF_ALL * self.count
            if unusual or half or (len(self._uses) == 1 and uses >= most):
                told = f"{uses:,} of {self.count:,} rows have this image; the median is {usual:g}"
                findings.add("one_image", self.part, self.images[key], told)


def _plain(answer: str) -> str:
    """An answer without case and final stop; the things that it lists in the order of the alphabet."""
    things = sorted(thing.strip() for thing in answer.strip().rstrip(".").casefold().split(","))
    return ", ".join(things)


def beside(first: str, place: str) -> str:
    """What a message about ``place`` calls ``first``: its row, where both are in one file."""
    source, _, row = first.rpartition(", ")
    return row if source and source == place.rpartition(", ")[0] else first


def _listed(answers: frozenset[str]) -> str:
    return " or ".join(repr(shortened(answer, 40)) for answer in sorted(answers)[:3])
