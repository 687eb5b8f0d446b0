"""A decoder's layer that image tokens pass unchanged (``skip_visual`` of Yuan et al., "ShortV", 2025).

Text goes through it, and attends to the image tokens, whose keys and values are computed from the stream as it passes.
Queries, the output of attention and the feed-forward network are computed for text alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.models.llama.modeling_llama import rotate_half

from .cache import cache_of
from .reduced_mask import numbers_at, rows_at


@dataclass(frozen=True)
class Frozen:
    """Which tokens of a stream go through a layer. What fills up a row with less text than others goes, too, and comes
    to nothing.

    Attributes:
        going: columns of the stream, ``(batch, going)``.
        resting: the others, ``(batch, tokens − going)``.
        text: whether that is one of text, ``(batch, going)``.
        mask: what the going see, ``(batch, heads or 1, going, tokens so far)``.
    """

    going: Tensor
    resting: Tensor
    text: Tensor
    mask: Tensor

    def run(self, layer: Any, forward: Callable[..., Tensor], stream: Tensor, named: Mapping[str, Any]) -> Tensor:
        """The stream ``(batch, tokens, width)`` after the layer.

        Args:
            layer: one of the families in ``text_layers``.
            forward: its own.
            stream: before it.
            named: further arguments of ``forward``.
        """
        cache = "past_key_values" if "past_key_values" in named else "cache"
        cos, sin = named["position_embeddings"]
        keys, values = _keys_and_values(
            layer, rows_at(stream, self.resting), rows_at(cos, self.resting), rows_at(sin, self.resting)
        )
        if not self.going.shape[1]:  # images alone, as a part of a prompt may be
            if (kept := cache_of(named)) is not None:
                kept.update(keys, values, layer.layer_idx)
            return stream
        before, own = rows_at(stream, self.going), dict(named)
        own |= {
            cache: _Joined(cache_of(named), keys, values, torch.cat((self.resting, self.going), dim=1).argsort(dim=1)),
            "attention_mask": self.mask,
            "position_embeddings": (rows_at(cos, self.going), rows_at(sin, self.going)),
        }
        if own.get("position_ids") is not None:
            own["position_ids"] = numbers_at(own["position_ids"], self.going)
        after = torch.where(self.text[..., None], forward(before, **own), before)
        return stream.scatter(1, self.going[..., None].expand_as(after), after.to(stream))


class _Joined:
    """Stands for a cache in a layer's attention, to which it gives the keys and values of the resting tokens too.

    Args:
        cache: that they are kept in; ``None``: nowhere.
        keys, values: of the resting, ``(batch, heads, resting, head width)``.
        order: of each token of the stream, its place among the resting and, after them, the going.
    """

    def __init__(self, cache: Any, keys: Tensor, values: Tensor, order: Tensor) -> None:
        self._cache, self._keys, self._values, self._order = cache, keys, values, order

    def update(self, keys: Tensor, values: Tensor, layer: int, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """As a cache's: all keys and values so far, from those of the going."""
        together = self._together(self._keys, keys), self._together(self._values, values)
        if self._cache is None:
            return together
        found: tuple[Tensor, Tensor] = self._cache.update(*together, layer, *args, **kwargs)
        return found

    def _together(self, resting: Tensor, going: Tensor) -> Tensor:
        joined = torch.cat((resting.to(going), going), dim=2)
        return joined.gather(2, self._order[:, None, :, None].expand_as(joined))


def _keys_and_values(layer: Any, stream: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """Of tokens, ``(batch, heads, tokens, head width)``, as the layer's attention computes them."""
    attention, normed = layer.self_attn, layer.input_layernorm(stream)
    keys, values = (
        project(normed).unflatten(-1, (-1, attention.head_dim)) for project in (attention.k_proj, attention.v_proj)
    )
    if hasattr(attention, "k_norm"):
        keys = attention.k_norm(keys)
    keys = keys.transpose(1, 2)
    return keys * cos[:, None] + rotate_half(keys) * sin[:, None], values.transpose(1, 2)
