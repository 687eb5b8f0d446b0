"""The stretch that a linear map replaces best (Shopkhoev et al., "ReplaceMe", 2025)."""

from __future__ import annotations

from torch import Tensor

from .stretches import Stretch, cosine


class ReplaceMe(Stretch):
    """Skips the stretch with the smallest ``1 − cos(stream before, stream after)`` over all tokens (section 2.1).

    The paper then puts a linear map in the place of the stretch, and trains nothing: :func:`skiptune.replace_me` does
    both. This strategy only chooses the stretch; what stands in for its blocks is the model's skip adapters.
    """

    name = "replaceme"

    def distances(self, before: Tensor, after: Tensor) -> Tensor:
        return 1 - cosine(before, after)
