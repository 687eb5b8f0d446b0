"""Start a fresh head where the data are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..data.record import Record
from ..models.head_transfer import last_layer

#: Number of records from which the frequency of answers is estimated.
_SEEN = 10_000


@torch.no_grad()
def start_at_frequencies(
    model: nn.Module, records: Sequence[Record], scores: Callable[[Sequence[Record]], Tensor]
) -> None:
    """Start a fresh head with every answer as likely as it is in ``records``, in place.

    A departure from the released code, whose heads start with every answer at one half. With thousands of answers,
    that costs the first hundreds of steps. A head is fresh if the biases of its last layer are all zero.

    Args:
        model: whose ``classifier`` ends in a linear layer, with one row per answer; others stay as they are.
        records: of the training.
        scores: gives the scores of all answers, ``(records, answers)``.
    """
    last = last_layer(model)
    if last is None or last.bias is None or bool(last.bias.any()):
        return
    rows = np.random.default_rng(0).permutation(len(records))[:_SEEN]
    parts = [[records[int(row)] for row in part] for part in np.array_split(rows, -(-len(rows) // 500))]
    share = torch.stack([scores(part).sum(0) for part in parts]).sum(0) / len(rows)
    last.bias.copy_(torch.logit(share.clamp(1 / (2 * len(rows)), 0.5)))
