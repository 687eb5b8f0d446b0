"""The pictures of all parts: damaged, tiny, huge, of one colour; and which of them are the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..core.progress import track
from ..data.pictures import Picture, Placed, name_of
from ..data.splits import resolved, same_content
from .checked_part import CheckedPart
from .finding import Findings
from .picture_facts import PictureFacts, facts_of

#: The shorter side in pixels below which a picture is tiny.
_TINY = 16
#: Pixels from which on a picture is very large: 48 million, as cameras make them.
_HUGE = 48_000_000
#: The longer side over the shorter one.
_NARROW = 20
_KINDS = ("damaged_image", "too_many_pixels", "tiny_image", "huge_image", "narrow_image", "one_colour")


class Pictures:
    """Decodes each picture once, and knows which are the same.

    Args:
        max_pixels: of an image, as the task allows; ``None``: any number.
    """

    def __init__(self, max_pixels: int | None = None) -> None:
        self.max_pixels = max_pixels
        self.facts: dict[Placed, PictureFacts] = {}
        self._same: dict[Placed, int] = {}

    def look_at(self, part: CheckedPart, findings: Findings) -> int:
        """Decode the pictures of a part, and tell what is wrong with them; returns how many there are."""
        places = _first_places(part)
        for picture in track(list(places), "images"):
            known = resolved(picture)
            if known not in self.facts:
                self.facts[known] = facts_of(picture)
            for kind, said in self._problems(self.facts[known]):
                findings.add(kind, part.name, f"image {name_of(picture)}", f"{said}; needed by {places[picture]}")
        findings.looked_at(_KINDS, part.name, len(places))
        return len(places)

    def compare(self, pictures: Iterable[Placed]) -> None:
        """Find out which of all pictures are the same: the same file, the same bytes, or the same pixels."""
        whole = list(dict.fromkeys(map(resolved, pictures)))
        number = {picture: at for at, picture in enumerate(whole)}
        groups = same_content(whole, lambda group: len(group) > 1)
        by_pixels: dict[str, list[Placed]] = {}
        for picture in whole:
            if (facts := self.facts.get(picture)) is not None and facts.pixels and not facts.one_colour:
                by_pixels.setdefault(facts.pixels, []).append(picture)
        self._same = number
        for group in (*groups, *by_pixels.values()):
            least = min(self._same[picture] for picture in group)
            self._same.update(dict.fromkeys(group, least))

    def key(self, picture: Picture) -> object:
        """What is equal for equal pictures, after :meth:`compare`."""
        found = resolved(picture)
        return self._same.get(found, found)

    def size(self, picture: Picture) -> tuple[int, int]:
        """Width and height, of a picture that was looked at."""
        facts = self.facts.get(resolved(picture), PictureFacts())
        return facts.width, facts.height

    def fine(self, pictures: Sequence[Picture]) -> bool:
        """Whether all of them can be decoded."""
        found = (self.facts.get(resolved(picture)) for picture in pictures)
        return not any(facts is not None and (facts.problem or self._too_large(facts)) for facts in found)

    def _too_large(self, facts: PictureFacts) -> bool:
        return self.max_pixels is not None and facts.width * facts.height > self.max_pixels

    def _problems(self, facts: PictureFacts) -> list[tuple[str, str]]:
        if facts.problem:
            return [("damaged_image", facts.problem)]
        found, size = [], f"{facts.width} × {facts.height} pixels"
        if self._too_large(facts):
            found.append(("too_many_pixels", f"{size}, more than max_pixels ({self.max_pixels:,})"))
        elif facts.width * facts.height >= _HUGE:
            found.append(("huge_image", size))
        if min(facts.width, facts.height) < _TINY:
            found.append(("tiny_image", size))
        elif max(facts.width, facts.height) > _NARROW * min(facts.width, facts.height):
            found.append(("narrow_image", size))
        if facts.one_colour:
            found.append(("one_colour", f"{size} of one colour"))
        return found


def _first_places(part: CheckedPart) -> dict[Placed, str]:
    found: dict[Placed, str] = {}
    for place, record in part.placed():
        for picture in record.images:
            found.setdefault(picture, place)  # type: ignore[arg-type]
    return found
