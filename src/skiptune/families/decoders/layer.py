"""A decoder's layer, and either half of it, as skippable blocks.

A family subclasses its own three classes with those of this file in front. Arguments are passed on as they come: their
names change with versions of transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ...core.errors import InputError
from ...layers.blocks import SkippableBlock
from .cache import book_tokens


class SkippableDecoderLayer(SkippableBlock):
    """A whole layer: kept, as transformers computes it; skipped, ``x + A_skip(x)``.

    Cached generation gives what uncached gives, whichever layers are skipped.

    Attributes:
        layer_idx: the number of the layer's entry in a cache.
    """

    layer_idx: int
    self_attn: Any
    mlp: Any

    def start_without_adapters(self) -> None:
        super().start_without_adapters()
        self.layer_idx = self.self_attn.layer_idx  # which goes when the weights are removed

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Map ``(batch, tokens, width)`` to the same shape; further arguments as transformers' class has them.

        Raises:
            InputError: ``output_attentions`` with a skipped layer, which attends to nothing.
        """
        if self.skipped:
            book_tokens(hidden_states, self.layer_idx, kwargs)
        return super().forward(hidden_states, *args, **kwargs)

    def own_mask(self, given: tuple[Any, ...], named: Mapping[str, Any]) -> Tensor | None:
        """As the base class has it, from the last row of the causal mask, which hides padding (and what lies before a
        sliding window)."""
        return causal_padding(named)


class SkippableHalf(SkippableBlock):
    """Half a layer, attention or feed-forward network: it maps the normed stream ``z`` to what is added to the stream.

    Skipped, it adds ``A_skip(z)``, or nothing.
    """

    def step_over(self, x: Tensor) -> Tensor:
        """``A_skip(z)``, ``(batch, tokens, width)``; zeros without a skip adapter."""
        nothing = torch.zeros_like(x)
        return nothing if self.skip_adapter is None else self.skip_adapter.added_to(nothing, x)

    def added(self, x: Tensor, y: Tensor) -> Tensor:
        return y


class SkippableAttention(SkippableHalf):
    """A layer's attention.

    Attributes:
        layer_idx: the number of the layer's entry in a cache.
    """

    layer_idx: int

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Map the normed ``(batch, tokens, width)`` to the same shape, and attention weights.

        Raises:
            InputError: ``output_attentions`` with skipped attention, which has no weights.
        """
        if self.skipped:
            if kwargs.get("output_attentions"):
                raise InputError("output_attentions=True: skipped attention has no weights; leave it off")
            book_tokens(hidden_states, self.layer_idx, kwargs)
            return self.step_over(hidden_states), None
        # past SkippableBlock's own forward, which gives no pair
        return super(SkippableBlock, self).forward(hidden_states, *args, **kwargs)

    def own_mask(self, given: tuple[Any, ...], named: Mapping[str, Any]) -> Tensor | None:
        """As :meth:`SkippableDecoderLayer.own_mask`."""
        return causal_padding(named)


class SkippableMlp(SkippableHalf):
    """A layer's feed-forward network."""


def causal_padding(given: Mapping[str, Any]) -> Tensor | None:
    """True where a stream is no padding, ``(batch, tokens)``, from the last row of a causal ``attention_mask``."""
    mask = given.get("attention_mask")
    if not isinstance(mask, Tensor) or mask.ndim != 4:
        return None
    row: Tensor = mask[:, 0, -1]
    return row if row.dtype == torch.bool else row == 0
