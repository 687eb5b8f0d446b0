"""Masks and positions of fewer tokens, from those of all tokens of a text."""

from __future__ import annotations

import torch
from torch import Tensor

from .reduced_cache import Held


def visible(queries: Held, keys: Held) -> Tensor:
    """True where a token sees another, itself and those before it, ``(batch, 1, queries, keys)``."""
    return keys.places[:, None, None] <= queries.places[:, None, :, None]


def mask_of(given: Tensor | None, queries: Held, keys: Held, dtype: torch.dtype) -> Tensor | None:
    """The mask for attention of some tokens to others, ``(batch, 1, queries, keys)``.

    Args:
        given: that of all tokens, ``(batch or 1, heads or 1, tokens, tokens so far)``: booleans, or numbers to add;
            ``None``: each token sees those before it.
        queries: the tokens that attend, of those that are new.
        keys: those that they attend to, in the order of the text.
        dtype: of numbers to add.
    """
    if given is None and keys.alone:
        return None  # their order tells
    lowest = torch.finfo(dtype).min
    mask = visible(queries, keys) if given is None else _picked(given, queries, keys)
    if mask.dtype == torch.bool and not keys.merged:
        return _hiding_fillers(mask, queries, keys) if keys.ragged else mask
    weight = keys.sizes.log().clamp(min=lowest).to(dtype)[:, None, None]
    if mask.dtype == torch.bool:
        return torch.where(mask, weight, lowest)
    return mask if keys.alone else (mask + weight).clamp(min=lowest)


def _picked(given: Tensor, queries: Held, keys: Held) -> Tensor:
    """Rows and columns of a mask. It may begin later in the text than the keys (a sliding window): those are hidden."""
    heads, rows, columns = given.shape[1:]
    row = queries.places - (queries.seen - rows)
    column = (keys.places - (keys.seen - columns))[:, None, None]
    mask = given.expand(len(row), -1, -1, -1).gather(2, row[:, None, :, None].expand(-1, heads, -1, columns))
    mask = mask.gather(3, column.clamp(min=0).expand(-1, heads, row.shape[1], -1))
    hidden = False if mask.dtype == torch.bool else torch.finfo(mask.dtype).min
    return mask.masked_fill(column < 0, hidden)


def _hiding_fillers(mask: Tensor, queries: Held, keys: Held) -> Tensor:
    """Nothing sees what fills up a row but that itself, so that its attention is a number."""
    itself = keys.places[:, None, None] == queries.places[:, None, :, None]
    return (mask & (keys.sizes > 0)[:, None, None]) | (itself & (queries.sizes == 0)[:, None, :, None])


def rows_at(table: Tensor, places: Tensor) -> Tensor:
    """Rows of a table for each token, ``(…, batch or 1, tokens, width)``, at ``places``, ``(batch, fewer tokens)``."""
    table = table.expand(*table.shape[:-3], len(places), *table.shape[-2:])
    return table.gather(-2, places[..., None].expand(*table.shape[:-2], places.shape[1], table.shape[-1]))


def numbers_at(numbers: Tensor, places: Tensor) -> Tensor:
    """As :func:`rows_at`, of one number for each token."""
    return rows_at(numbers[..., None], places)[..., 0]
