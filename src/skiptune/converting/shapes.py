"""Infer the sizes of a model from the shapes of its original weights."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor

from ..core.validation import Problems

#: Fields of a configuration; those of encoders are below their own name.
Sizes: TypeAlias = Mapping[str, int | str | Mapping[str, int]]
#: Attention heads of the published models by width; shapes do not show their number.
_PUBLISHED_HEADS = {768: 12, 1024: 16}


@dataclass(frozen=True)
class Hints:
    """Sizes that shapes do not show; ``None``: as published.

    Attributes:
        heads: attention heads of a block (ViLT) or fusion layer (METER).
        image_size: side of the images in pixels, where it is not that of the position table.
        max_text_length: longest text in tokens.
    """

    heads: int | None = None
    image_size: int | None = None
    max_text_length: int | None = None


class Shapes:
    """Shapes by original names. Sizes that cannot be inferred are collected in ``problems``, and 1 is used instead."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        self._state = state
        self.problems = Problems("the sizes cannot be told from the weights")

    def axis(self, key: str, axis: int = 0) -> int:
        """Entries of a weight along one axis."""
        weight = self._state.get(key)
        if weight is None or weight.ndim <= axis:
            self.problems.add(f"{key}: " + ("missing" if weight is None else f"{tuple(weight.shape)}, too few axes"))
            return 1
        return weight.shape[axis]

    def count(self, prefix: str) -> int:
        """How many layers have weights; their names are ``prefix``, a number, a dot and more."""
        numbers = {int(match[1]) for key in self._state if (match := re.match(rf"{re.escape(prefix)}(\d+)\.", key))}
        missing = sorted(set(range(max(numbers, default=0) + 1)) - numbers)
        self.problems.check(not missing, f"{prefix}…: no weights of layer {', '.join(map(str, missing))}")
        return len(numbers)

    def rows(self, pattern: str) -> int | None:
        """Rows of the first weight whose name fits, if there is one."""
        return next((self.axis(key) for key in self._state if re.fullmatch(pattern, key)), None)

    def side(self, key: str, axis: int, patch: int) -> int:
        """Pixels along a side of the square images that a table with a position a patch, and one more, is for."""
        patches = self.axis(key, axis) - 1
        side = math.isqrt(max(patches, 0))
        self.problems.check(side * side == patches, f"{key}: {patches} patches are no square, as they have to be")
        return side * patch

    def heads(self, width: int, given: int | None) -> int:
        """Attention heads: as given, else those of the published model of this width."""
        heads = given or _PUBLISHED_HEADS.get(width)
        if heads is None:
            self.problems.add(f"heads: no published model is {width} wide, so the number must be given (--heads)")
        elif width % heads:
            self.problems.add(f"heads: {heads} do not divide the width {width}")
        return heads or 1
