"""The place of a skipped layer in a decoder's cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor


def book_tokens(hidden_states: Tensor, layer: int, given: Mapping[str, Any]) -> None:
    """Tell the cache among a layer's arguments, if there is one, that the layer has seen these tokens.

    Masks and positions are made from the length of one layer's entry, the first or the first of its kind (sliding
    window, full attention), whichever layers run. So a skipped layer books its tokens too, with keys one number wide.

    Args:
        hidden_states: ``(batch, tokens, width)``.
        layer: the number of the layer's entry.
        given: the layer's arguments by name.
    """
    cache = given.get("cache", given.get("past_key_values"))  # the name up to transformers 5.23
    if cache is not None:
        booked = hidden_states.new_zeros((len(hidden_states), 1, hidden_states.shape[1], 1))
        cache.update(booked, booked, layer)
