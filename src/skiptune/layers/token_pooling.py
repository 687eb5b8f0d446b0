"""Pool image tokens: neighbours in the image become one, their mean.

Which tokens are neighbours follows from the image's grid of patches alone, not from what they hold: nothing is sorted
or compared, so it costs less than merging by likeness, most of all for one small image.
"""

from __future__ import annotations

from math import isqrt, sqrt
from typing import NamedTuple

import torch
from torch import Tensor

from .token_counts import share_of


class Grid(NamedTuple):
    """Rows and columns of image tokens, in raster order.

    Attributes:
        rows, columns: how many; symbolic in a graph for images of any size.
    """

    rows: int
    columns: int

    @classmethod
    def of(cls, tokens: int, columns: int | None = None) -> Grid:
        """That of an image's tokens. Where the number of ``columns`` is not known: a square if they make one, else a
        single row."""
        if columns is None:
            side = isqrt(tokens) if isinstance(tokens, int) else 0
            columns = side if side * side == tokens else tokens
        return cls(tokens // columns, columns)

    @property
    def tokens(self) -> int:
        """How many there are."""
        return self.rows * self.columns

    def share(self, share: float) -> Grid:
        """The grid with about a share of the tokens, in the proportions of this one.

        Rows are rounded up from a quarter on and columns from three quarters on, not both at half, so that more numbers
        of tokens can be reached: of 6 × 6 also 6 × 5 and 5 × 4. A smaller share never has more of either.
        """
        side = sqrt(share)
        return Grid(share_of(self.rows, side, up=0.75), share_of(self.columns, side, up=0.25))


def pooled(image: Tensor, sizes: Tensor, now: Grid, then: Grid) -> tuple[Tensor, Tensor, Tensor]:
    """Pool the tokens of a grid to a smaller one; a token becomes a mean weighted by sizes.

    Args:
        image: ``(batch, tokens, width)``.
        sizes: how many of the model's image tokens each stands for, ``(batch, tokens)``; 0 for padding.
        now: the grid of these tokens.
        then: that of those that go on; no more rows, and no more columns.

    Returns:
        The tokens of the smaller grid, ``(batch, fewer tokens, width)``, their sizes, and the first of ``image`` that
        each stands for, ``(batch, fewer tokens)``.
    """
    down = torch.arange(now.rows, device=image.device) * then.rows // now.rows
    across = torch.arange(now.columns, device=image.device) * then.columns // now.columns
    cell = (down[:, None] * then.columns + across).flatten()
    member = torch.arange(then.tokens, device=image.device)[:, None] == cell
    larger = sizes @ member.T.to(sizes)
    weighed = image * sizes[..., None]  # in float32: a sum of many tokens can be too large for float16
    total = member.to(weighed) @ weighed
    first = member.int().argmax(1).expand(image.shape[0], -1)
    return (total / larger.clamp(min=1)[..., None]).to(image), larger, first
