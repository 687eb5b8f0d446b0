"""Multi-head attention of one stream to another, as all families compute it."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Projections(NamedTuple):
    """The layers of an attention before its context.

    Attributes:
        query, key, value: linear maps of ``(batch, tokens, width)``.
        head_width: width of one head.
    """

    query: nn.Module
    key: nn.Module
    value: nn.Module
    head_width: int


def attend(projections: Projections, x: Tensor, other: Tensor, mask: Tensor | None, dropout: float) -> Tensor:
    """The context ``(batch, tokens, width)``, before the output projection.

    On a CPU, torch computes attention with dropout unfused and keeps several ``(batch, heads, tokens, other tokens)``
    for the backward pass; here they are computed a second time instead, from the same random numbers.

    Args:
        projections: of queries, keys and values.
        x: the stream of the queries, ``(batch, tokens, width)``.
        other: the stream of keys and values, ``(batch, other tokens, width)``.
        mask: added to the scores, or true where ``other`` is no padding; broadcast to ``(batch, heads, tokens, other
            tokens)``.
        dropout: share of the weights that is dropped; 0 outside of training.
    """
    query, key, value, head_width = projections
    q, k, v = (
        project(stream).unflatten(-1, (-1, head_width)).transpose(1, 2)
        for project, stream in ((query, x), (key, other), (value, other))
    )
    core = nn.functional.scaled_dot_product_attention
    if dropout and x.device.type == "cpu" and any(stream.requires_grad for stream in (q, k, v)):
        context = checkpoint(core, q, k, v, mask, dropout, use_reentrant=False)
    else:
        context = core(q, k, v, mask, dropout)
    result: Tensor = context.transpose(1, 2).flatten(2)
    return result
