"""Draw tokens from generators of one's own: transformers draws from torch's global one, for the whole batch at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from .decoding import Decoding


class GumbelNoise(LogitsProcessor):
    """Adds Gumbel noise to logits: the most likely token is then a draw by their softmax (Gumbel, 1954).

    Args:
        seed: of all.
        names: of the rows; the noise of a row depends on its own name and on ``seed`` alone.
    """

    def __init__(self, seed: int, names: Sequence[str]) -> None:
        entropy = ((seed, *name.encode("utf-8", "surrogatepass")) for name in names)
        states = (np.random.SeedSequence(each).generate_state(1, np.uint64)[0] for each in entropy)
        self._generators = [torch.Generator().manual_seed(int(state) >> 1) for state in states]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """``(batch, tokens)`` and the logits ``(batch, words)`` to logits with noise."""
        words = scores.shape[-1]
        drawn = torch.stack([torch.empty(words).exponential_(generator=own) for own in self._generators])
        return scores - drawn.clamp_min(torch.finfo(drawn.dtype).tiny).log().to(scores)


def sampling(decoding: Decoding, names: Sequence[str]) -> LogitsProcessorList:
    """What is done to logits, of which the largest is then taken.

    Args:
        decoding: how answers are written; nothing is done where it does not draw.
        names: of the rows, such as their records' ``id``; rows of one name and one prompt get one answer.
    """
    steps = LogitsProcessorList()
    if not decoding.temperature:
        return steps
    steps.append(TemperatureLogitsWarper(float(decoding.temperature)))
    if decoding.top_k is not None:
        steps.append(TopKLogitsWarper(decoding.top_k))
    if decoding.top_p is not None:
        steps.append(TopPLogitsWarper(float(decoding.top_p)))
    steps.append(GumbelNoise(decoding.seed, names))
    return steps
