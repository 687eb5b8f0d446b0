"""A decoder's layer, and either half of it, as skippable blocks.

A family subclasses its own three classes with those of this file in front. Arguments are passed on as they come: their
names change with versions of transformers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...core.errors import InputError
from ...layers.adapters import BottleneckAdapter
from ...layers.blocks import SkippableBlock, StreamPoint
from ...layers.input_adapters import InputAdapter
from ...layers.token_reduction import Reader
from .cache import book_tokens, mixture_in_cache
from .frozen_layer import Frozen
from .passage import present_passage


class SkippableDecoderLayer(SkippableBlock):
    """A whole layer: kept, as transformers computes it; skipped, ``x + A_skip(x)``.

    Its adapters may read the normed inputs of its halves instead, see :mod:`skiptune.layers.input_adapters`. Cached
    generation gives what uncached gives, whichever layers are skipped.

    Attributes:
        layer_idx: the number of the layer's entry in a cache.
    """

    takes_input_adapters = True
    causal: ClassVar[bool] = True
    layer_idx: int
    input_layernorm: Any
    self_attn: Any
    mlp: Any

    def start_without_adapters(self) -> None:
        super().start_without_adapters()
        self.layer_idx = self.self_attn.layer_idx  # which goes when the weights are removed

    def __call__(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`forward`; with fewer tokens, or in the last layer all again, where image tokens become fewer.

        Outside of what gradient checkpointing computes a second time.

        Raises:
            InputError: they become fewer, and the decoder runs without the model around it.
        """
        run, passage = super().__call__, present_passage()
        if passage is not None:
            return passage.through(self, run, hidden_states, args, kwargs)
        if self.frozen or self.reduction is not None:
            raise InputError(
                "the decoder runs by itself, and does not know which tokens are an image's, of which fewer go on: call "
                "the model around it"
            )
        return run(hidden_states, *args, **kwargs)

    def forward(self, hidden_states: Tensor, *args: Any, frozen: Frozen | None = None, **kwargs: Any) -> Any:
        """Map ``(batch, tokens, width)`` to the same shape; further arguments as transformers' class has them.

        ``frozen``: which tokens pass it unchanged.

        Raises:
            InputError: ``output_attentions`` with a skipped layer, which attends to nothing.
        """
        if frozen is not None:
            return frozen.run(self, super().forward, hidden_states, kwargs)
        output = super().forward(hidden_states, *args, **kwargs)
        if self.skipped:
            book_tokens(hidden_states, self.layer_idx, kwargs)
        return output

    def reader(self) -> Reader:
        """Without positions."""
        query, key = (partial(_projected, self.self_attn, name) for name in "qk")
        return Reader(self.input_layernorm, query, key, self.self_attn.head_dim)

    def step_over(self, x: Tensor, named: Mapping[str, Any] | None = None) -> Tensor:
        adapter = self.skip_adapter
        if not isinstance(adapter, InputAdapter):
            return super().step_over(x, named)
        z = self.input_layernorm(x)
        return x + adapter.in_place_of_layer(z, mixture_in_cache(adapter, z, self.layer_idx, named or {}))

    def add_input_adapters(self, adapters: Sequence[InputAdapter]) -> None:
        """Let attention, and with a second adapter the feed-forward network, read ``z + A(z)`` while the layer is
        kept."""
        self.block_adapters = nn.ModuleList(adapters)
        for number, half in enumerate((self.self_attn, self.mlp)[: len(adapters)]):
            half.register_forward_pre_hook(partial(self._adapt_input, number), with_kwargs=True)

    def _adapt_input(
        self, number: int, half: nn.Module, args: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """The arguments of a half, its first one adapted."""
        if self.block_adapters is None:
            return None
        adapter: Any = self.block_adapters[number]
        z = args[0] if args else named["hidden_states"]
        adapted = z + adapter(z, mixture_in_cache(adapter, z, self.layer_idx, named))
        return ((adapted, *args[1:]), named) if args else ((), {**named, "hidden_states": adapted})

    @property
    def kept_when_removed(self) -> tuple[str, ...]:
        reads_normed = isinstance(self.skip_adapter, InputAdapter)
        return (*super().kept_when_removed, *(("input_layernorm",) if reads_normed else ()))

    def own_mask(self, given: tuple[Any, ...], named: Mapping[str, Any]) -> Tensor | None:
        """As the base class has it, from the last row of the causal mask, which hides padding (and what lies before a
        sliding window)."""
        return causal_padding(named)


def _projected(attention: Any, name: str, z: Tensor) -> Tensor:
    """Queries (``q``) or keys (``k``) of the normed stream, with heads side by side, ``(batch, tokens, any width)``."""
    found: Tensor = getattr(attention, f"{name}_proj")(z)
    norm = getattr(attention, f"{name}_norm", None)
    return found if norm is None else norm(found.view(*found.shape[:2], -1, attention.head_dim)).flatten(2)


class SkippableHalf(SkippableBlock):
    """Half a layer, attention or feed-forward network: it maps the normed stream ``z`` to what is added to the stream.

    Skipped, it adds ``A_skip(z)``, or nothing.
    """

    causal: ClassVar[bool] = True

    def step_over(self, x: Tensor, named: Mapping[str, Any] | None = None) -> Tensor:
        """``A_skip(z)``, ``(batch, tokens, width)``; zeros without a skip adapter."""
        nothing = torch.zeros_like(x)
        adapter = self.skip_adapter
        return adapter.added_to(nothing, x) if isinstance(adapter, BottleneckAdapter) else nothing

    def added(self, x: Tensor, y: Tensor) -> Tensor:
        return y

    def own_mask(self, given: tuple[Any, ...], named: Mapping[str, Any]) -> Tensor | None:
        """As :meth:`SkippableDecoderLayer.own_mask`, from the arguments of attention or of the layer."""
        return causal_padding(named)


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
            self.refuse_weights(kwargs)
            book_tokens(hidden_states, self.layer_idx, kwargs)
            return self.step_over(hidden_states), None
        # past SkippableBlock's own forward, which gives no pair
        return super(SkippableBlock, self).forward(hidden_states, *args, **kwargs)

    def stream_points(self, owner: nn.Module) -> tuple[StreamPoint, StreamPoint]:
        return StreamPoint(owner), StreamPoint(_norm_of_mlp(owner))


class SkippableMlp(SkippableHalf):
    """A layer's feed-forward network."""

    def stream_points(self, owner: nn.Module) -> tuple[StreamPoint, StreamPoint]:
        return StreamPoint(_norm_of_mlp(owner)), StreamPoint(owner, after=True)


def _norm_of_mlp(layer: nn.Module) -> nn.Module:
    """What norms the stream for a layer's feed-forward network: with a norm behind attention too, the second."""
    second = hasattr(layer, "pre_feedforward_layernorm")
    return layer.get_submodule("pre_feedforward_layernorm" if second else "post_attention_layernorm")


def causal_padding(given: Mapping[str, Any]) -> Tensor | None:
    """True where a stream is no padding, ``(batch, tokens)``, from ``attention_mask``: of a causal one the last row, of
    one of tokens (flash attention) all."""
    mask = given.get("attention_mask")
    if isinstance(mask, Tensor) and mask.ndim == 2:
        return mask.bool()
    if not isinstance(mask, Tensor) or mask.ndim != 4:
        return None
    row: Tensor = mask[:, 0, -1]
    return row if row.dtype == torch.bool else row > torch.finfo(row.dtype).min / 2
