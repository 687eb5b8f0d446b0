"""What reached the model: images, tokens and answers, counted in its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Lengths:
    """Tokens of a row.

    Attributes:
        median: half of the rows have fewer.
        p95: 95 of 100 have no more.
        longest: of the longest row.
        limit: how many there may be; ``None``: any number.
    """

    median: float
    p95: int
    longest: int
    limit: int | None


@dataclass(frozen=True)
class ModelView:
    """The rows of a part that went through the model's processor.

    Attributes:
        rows: how many went.
        images: of these rows.
        placeholders: places for images in their texts.
        reached: images that are in the model's inputs.
        image_tokens: median number of tokens of an image; ``None``: images are no tokens here.
        lengths: tokens of a row, those of images included.
        answer_tokens: tokens of a row that are learnt; ``None``: the task has no such.
    """

    rows: int
    images: int
    placeholders: int
    reached: int
    image_tokens: float | None
    lengths: Lengths | None
    answer_tokens: Lengths | None


@dataclass
class Counted:
    """Collects a :class:`ModelView`."""

    rows: int = 0
    images: int = 0
    placeholders: int = 0
    reached: int = 0
    of_images: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def finish(self, limit: int | None) -> ModelView:
        """All together; ``limit`` is of the tokens of a row."""
        return ModelView(
            self.rows,
            self.images,
            self.placeholders,
            self.reached,
            median(self.of_images) if self.of_images else None,
            _lengths(self.tokens, limit),
            _lengths(self.answers, None),
        )


def _lengths(values: Sequence[int], limit: int | None) -> Lengths | None:
    if not values:
        return None
    ordered = sorted(values)
    return Lengths(median(ordered), ordered[int(0.95 * (len(ordered) - 1))], ordered[-1], limit)
