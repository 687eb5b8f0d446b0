"""The skippable block, independent of the model family.

A family subclasses its own transformer block with :class:`SkippableBlock` in front. An existing model is switched over
by assigning ``__class__``: no parameter moves, state-dict keys, hooks and output recording stay as they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MethodType
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from ..core.errors import InputError
from .adapters import BottleneckAdapter, ParallelAdapter, Prompts
from .folded import FoldedAdapter
from .input_adapters import InputAdapter
from .token_reduction import Reader, TokenReduction


@dataclass(frozen=True)
class StreamPoint:
    """Where the residual stream can be read: what a module is given first, or what it gives.

    Attributes:
        module: the module.
        after: whether it is what the module gives.
    """

    module: nn.Module
    after: bool = False


class SkippableBlock(nn.Module):
    """A Transformer block that can be skipped. A family's block class inherits from it first, then from the model's.

    That is all it takes where the block maps the residual stream, its first argument, to a tensor, or to a tuple that
    begins with it (``returns_tuple``), and gets no bottleneck adapters. Otherwise it has a ``forward`` of its own.

    Attributes:
        block_adapters: one adapter per sub-layer, added in parallel while the block is kept; ``None`` without adapters.
        skip_adapter: stands in for the block while it is skipped; ``None`` makes skipping the identity. It reads the
            stream, or, an :class:`~skiptune.layers.input_adapters.InputAdapter`, the block's own normed input. With a
            :class:`~skiptune.layers.folded.FoldedAdapter`, which a kept neighbour applies, skipping is the identity
            too.
        folded: those of skipped neighbours that this block applies, in their order.
        parallel_adapter: parallel to the feed-forward network, inside its residual connection; ``None``: none.
        prompts: extra tokens that the block's self-attention reads; ``None``: none.
        attention_config: the configuration that the block's attention was made of; ``None``: it keeps none.
        skipped: whether the forward pass skips this block.
        removed: whether the block's own weights are gone for good, so that it can only be skipped.
        reduction: what happens to image tokens before the block, skipped or not; who runs the blocks of a stack applies
            it. ``None``: nothing.
        frozen: whether image tokens pass the block unchanged while text, which attends to them, goes through it.
        mask_position: position of the ``forward`` argument that masks padding in the block's own stream (argument 0);
            ``None``: there is none.
        returns_tuple: whether the model's block gives a tuple that begins with the stream, and so does a skipped one.
        causal: whether a token sees only those before it, so that the last one has seen all.
        takes_prompts, takes_parallel: whether ``forward`` reads ``prompts``, and adds the parallel adapter by
            :meth:`beside`; for the methods that need it.
        takes_input_adapters: whether its adapters may be input adapters, which it gets by ``add_input_adapters``.
    """

    block_adapters: nn.ModuleList | None
    skip_adapter: BottleneckAdapter | FoldedAdapter | InputAdapter | None
    folded: tuple[FoldedAdapter, ...] = ()
    parallel_adapter: ParallelAdapter | None
    prompts: Prompts | None
    attention_config: Any = None
    skipped: bool = False
    removed: bool = False
    reduction: TokenReduction | None = None
    frozen: bool = False
    mask_position: ClassVar[int | None] = None
    returns_tuple: ClassVar[bool] = False
    causal: ClassVar[bool] = False
    takes_prompts: ClassVar[bool] = False
    takes_parallel: ClassVar[bool] = False
    takes_input_adapters: ClassVar[bool] = False

    @classmethod
    def adopt(cls, block: nn.Module) -> None:
        """Turn ``block``, an instance of this class's family parent, into a skippable one, in place."""
        if not isinstance(block, cls):
            block.__class__ = cls
            if "_old_forward" in vars(block):  # what accelerate calls, in a model on several devices
                vars(block)["_old_forward"] = MethodType(cls.forward, block)
            cast(SkippableBlock, block).start_without_adapters()

    def start_without_adapters(self) -> None:
        """Register empty slots for adapters. A family whose own blocks are skippable calls this in their
        ``__init__``."""
        for name in ("block_adapters", "skip_adapter", "parallel_adapter", "prompts"):
            self.register_module(name, None)
        # of the attention, which goes when the weights are removed
        self.attention_config = next((part.config for part in self.modules() if hasattr(part, "config")), None)

    def refuse_weights(self, named: Mapping[str, Any]) -> None:
        """Refuse to be skipped where attention weights are asked for, by an argument or in the model's configuration.

        Raises:
            InputError: they are; a skipped block attends to nothing.
        """
        if named.get("output_attentions") or getattr(self.attention_config, "output_attentions", False):
            raise InputError("output_attentions=True: a skipped block has no attention weights; leave it off")

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
        """As the model's own class, or skipped: ``x + A_skip(x)``, ``(batch, tokens, width)``, alone or in a tuple.

        Raises:
            InputError: ``output_attentions`` with a skipped block, which attends to nothing.
        """
        if self.skipped:
            self.refuse_weights(kwargs)
            stepped = self.step_over(hidden_states, kwargs)
            return (stepped,) if self.returns_tuple else stepped
        return super().forward(hidden_states, *args, **kwargs)

    def step_over(self, x: Tensor, named: Mapping[str, Any] | None = None) -> Tensor:
        """``x + A_skip(x)``, the output of a skipped block (paper, equation 4).

        Args:
            x: ``(batch, tokens, width)``.
            named: further arguments of ``forward`` by name, for adapters that look at more than tokens by themselves.
        """
        return self.skip_adapter.added_to(x, x) if isinstance(self.skip_adapter, BottleneckAdapter) else x

    def added(self, x: Tensor, y: Tensor) -> Tensor:
        """What the block has added to the residual stream, from its input and its output."""
        return y - x

    def stream_points(self, owner: nn.Module) -> tuple[StreamPoint, StreamPoint]:
        """Where the residual stream before and after the block can be read. ``owner`` is the module the block is in."""
        return StreamPoint(self), StreamPoint(self, after=True)

    def adapt(self, x: Tensor, sublayer_output: Tensor, sublayer: int) -> Tensor:
        """``x + sublayer_output + A(x)``, both streams ``(batch, tokens, width)`` (paper, equation 3)."""
        return self.add_adapter(sublayer_output + x, x, sublayer)

    def add_adapter(self, y: Tensor, x: Tensor, sublayer: int) -> Tensor:
        """``y + A(x)``, for a sub-layer whose LayerNorm comes before the adapter; ``y`` without adapters."""
        if self.block_adapters is None:
            return y
        return cast(BottleneckAdapter, self.block_adapters[sublayer]).added_to(y, x)

    def beside(self, forwarded: Tensor, x: Tensor) -> Tensor:
        """The feed-forward network's output for ``x``, plus that of its parallel adapter."""
        return forwarded if self.parallel_adapter is None else forwarded + self.parallel_adapter(x)

    def reader(self) -> Reader | None:
        """How the block's self-attention reads its stream, which tells which image tokens are alike and which matter;
        ``None``: it does not say."""
        return None

    def own_mask(self, given: tuple[Any, ...], named: Mapping[str, Any]) -> Tensor | None:
        """True where the stream is no padding, ``(batch, tokens)``, from the arguments of ``forward``; ``None``: all.

        The models' masks are for attention, see :func:`real_tokens`.
        """
        if self.mask_position is None or len(given) <= self.mask_position or given[self.mask_position] is None:
            return None
        return real_tokens(given[self.mask_position])

    @property
    def kept_when_removed(self) -> tuple[str, ...]:
        """Names of the children that a skipped block needs."""
        return ("skip_adapter",)

    def remove_weights(self) -> None:
        """Drop everything but the skip adapter and what it reads; from now on the block is always skipped."""
        for name in [name for name, _ in self.named_children() if name not in self.kept_when_removed]:
            self.register_module(name, None)
        self.skipped = self.removed = True


def real_tokens(mask: Tensor | None) -> Tensor | None:
    """True where tokens are no padding, ``(batch, tokens)``, from a mask for attention.

    Args:
        mask: ``(batch, 1, 1 or tokens, tokens)``: booleans, or a very negative number where there is padding; ``None``:
            nothing is padding.
    """
    if mask is None:
        return None
    row: Tensor = mask[:, 0, 0]
    return row if row.dtype == torch.bool else row > torch.finfo(row.dtype).min / 2
