"""What a decoder's cache keeps of a layer beside keys and values: the place of a skipped one, the mixture of a routed
adapter."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...core.errors import InputError
from ...layers.input_adapters import InputAdapter

#: Where a cache has the mixtures, by layer; copies of a cache have them too.
_MIXTURES = "skiptune_mixtures"


def cache_of(given: Mapping[str, Any]) -> Any:
    """The cache among a layer's arguments by name; ``None``: there is none."""
    return given.get("cache", given.get("past_key_values"))  # the name up to transformers 5.23


def cache_argument(model: nn.Module) -> str | None:
    """The name of the argument by which a model takes a cache; ``None``: it takes none."""
    known = inspect.signature(model.forward).parameters
    return next((name for name in ("cache", "past_key_values") if name in known), None)


def select_rows(cache: Any, rows: Tensor) -> None:
    """Let a cache hold these rows of its batch, some perhaps several times. In place.

    Args:
        cache: of any class of transformers that grows.
        rows: (new batch,) numbers.
    """
    cache.batch_select_indices(rows)
    mixtures = getattr(cache, _MIXTURES, {})
    for layer, mixture in mixtures.items():
        mixtures[layer] = mixture[rows]


def book_tokens(hidden_states: Tensor, layer: int, given: Mapping[str, Any]) -> None:
    """Tell the cache among a layer's arguments, if there is one, that the layer has seen these tokens.

    Masks and positions are made from the length of one layer's entry, the first or the first of its kind (sliding
    window, full attention), whichever layers run. So a skipped layer books its tokens too, with keys one number wide.

    Args:
        hidden_states: ``(batch, tokens, width)``.
        layer: the number of the layer's entry.
        given: the layer's arguments by name.
    """
    cache = cache_of(given)
    if cache is not None:
        booked = hidden_states.new_zeros((len(hidden_states), 1, hidden_states.shape[1], 1))
        cache.update(booked, booked, layer)


def mixture_in_cache(adapter: InputAdapter, z: Tensor, layer: int, given: Mapping[str, Any]) -> Tensor | None:
    """The mixture of a routed adapter for the sequences that ``z``, ``(batch, tokens, width)``, begins or continues.

    Their first tokens decide it; from then on the cache keeps it. Beams need no order of their own: they all continue
    one prompt.

    Returns:
        The experts' weights, ``(batch, experts)``; ``None`` where the adapter has no experts.

    Raises:
        InputError: the cache is not empty, and was filled without these adapters or for another batch.
    """
    if not adapter.routed:
        return None
    cache = cache_of(given)
    if cache is None:
        return adapter.mixture(first_tokens(z, given))
    mixtures: dict[int, Tensor] = cache.__dict__.setdefault(_MIXTURES, {})
    if not int(cache.get_seq_length(layer)):
        mixtures[layer] = adapter.mixture(first_tokens(z, given))
    elif layer not in mixtures or len(mixtures[layer]) != len(z):
        raise InputError(
            f"past_key_values: this cache has no mixtures for a batch of {len(z)}: its first tokens went through "
            "another model or another batch; begin with an empty cache"
        )
    return mixtures[layer]


def first_tokens(z: Tensor, given: Mapping[str, Any]) -> Tensor:
    """The first token of each sequence that is no padding, ``(batch, width)``.

    A causal ``attention_mask``, ``(batch, 1, tokens, tokens)``, tells: padding does not see itself.
    """
    mask = given.get("attention_mask")
    if not isinstance(mask, Tensor):
        return z[:, 0]
    seen = mask.diagonal(dim1=-2, dim2=-1)[:, 0] if mask.ndim == 4 else mask
    if mask.ndim == 4:
        seen = seen if seen.dtype == torch.bool else seen > torch.finfo(seen.dtype).min / 2
    real = seen.bool()[:, : z.shape[1]]
    first = real.int().argmax(1).expand(len(z))
    return z[torch.arange(len(z), device=z.device), first]
