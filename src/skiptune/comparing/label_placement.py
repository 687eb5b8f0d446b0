"""Place labels in a plot near their points, without covering other labels, points and lines.

Own code, because adjustText (1.4) places worse: of ten plots of 30 labels it covered markers in five, of the recorded
comparisons it struck labels through with lines between points and left one partly outside the axes; and what it does
depends on the global random state.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_TURNS = 24
_RINGS = (0, 6, 14, 26, 40, 58, 80, 106, 136, 170)  # pixels between point and label
_GAP = 2.0


@dataclass(frozen=True)
class Box:
    """A rectangle, in pixels."""

    left: float
    bottom: float
    right: float
    top: float

    @classmethod
    def around(cls, x: float, y: float, width: float, height: float) -> Box:
        return cls(x - width / 2, y - height / 2, x + width / 2, y + height / 2)

    def overlap(self, other: Box) -> float:
        """Area in common."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(0.0, width) * max(0.0, height)

    def inside(self, other: Box) -> bool:
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.bottom >= other.bottom
            and self.top <= other.top
        )

    def nearest(self, x: float, y: float) -> tuple[float, float]:
        """The point of this rectangle closest to ``(x, y)``."""
        return min(max(x, self.left), self.right), min(max(y, self.bottom), self.top)

    def crossed(self, line: Line, samples: int = 24) -> bool:
        """Whether a line passes through."""
        (x0, y0), (x1, y1) = line
        places = (k / samples for k in range(samples + 1))
        return any(
            self.left < x0 + p * (x1 - x0) < self.right and self.bottom < y0 + p * (y1 - y0) < self.top for p in places
        )


Line = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Point:
    """A marker with a label: its centre, its radius, and the label's size, in pixels."""

    x: float
    y: float
    radius: float
    width: float
    height: float


def place(points: Sequence[Point], within: Box, others: Sequence[Box] = ()) -> list[Box]:
    """A box for every point's label, in the order of the points.

    Small labels are placed first, as they are to stay close; each goes to the place that is nearest of those where it
    covers nothing, or else to where it covers least.

    Args:
        points: to be named.
        within: what labels must not leave.
        others: what else must not be covered.
    """
    markers = [Box.around(point.x, point.y, 2 * point.radius, 2 * point.radius) for point in points]
    placed: dict[int, Box] = {}
    lines: list[Line] = []
    for number in sorted(range(len(points)), key=lambda k: (points[k].width, -points[k].y)):
        point = points[number]
        best, least = markers[number], math.inf
        for box, distance in _candidates(point, markers[number]):
            if not box.inside(within):
                continue
            line: Line = ((point.x, point.y), box.nearest(point.x, point.y))
            cost = distance + 50 * sum(box.overlap(other) for other in (*placed.values(), *markers, *others))
            cost += 1000 * sum(box.crossed(other) for other in lines)
            cost += 1000 * sum(other.crossed(line) for other in placed.values()) if distance > _RINGS[1] else 0
            cost += 8 * sum(other.crossed(line) for k, other in enumerate(markers) if k != number)
            if cost < least:
                best, least = box, cost
        placed[number] = best
        lines.append(((point.x, point.y), best.nearest(point.x, point.y)))
    return [placed[number] for number in range(len(points))]


def _candidates(point: Point, marker: Box) -> list[tuple[Box, float]]:
    """Boxes around a marker with how far off they are; to the right and above first."""
    found = []
    for ring in _RINGS:
        for turn in range(_TURNS):
            angle = 2 * math.pi * turn / _TURNS
            reach = point.radius + _GAP + ring
            x = point.x + math.cos(angle) * (reach + point.width / 2)
            y = point.y + math.sin(angle) * (reach + point.height / 2)
            box = Box.around(x, y, point.width, point.height)
            near = box.nearest(point.x, point.y)
            found.append((box, max(0.0, math.dist(near, (point.x, point.y)) - point.radius) + 0.01 * turn))
    return found
