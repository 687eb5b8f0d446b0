"""Angular distance over a stretch of layers (Gromov et al., "The Unreasonable Ineffectiveness of the Deeper Layers",
2024; PruneMe and UIDL implement it)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .stretches import Stretch, cosine


class Angular(Stretch):
    """Skips the stretch with the smallest ``arccos(cos(stream before, stream after)) / π`` (section 3.2): at the last
    token of each text in a decoder, which has seen all the others, as in the paper; elsewhere over all tokens.

    A departure: adapters are trained before the choice and after it. The paper drops the layers, then heals the rest by
    QLoRA.
    """

    name = "angular"

    def distances(self, before: Tensor, after: Tensor) -> Tensor:
        return torch.arccos(cosine(before, after).clamp(-1, 1)) / math.pi

    def tokens(self, stream: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        if not causal or stream.ndim < 3:
            return super().tokens(stream, mask, causal)
        if mask is None:
            return stream[:, -1]
        last = (mask * torch.arange(1, mask.shape[1] + 1, device=mask.device)).argmax(1)
        return stream[torch.arange(len(stream), device=stream.device), last]
