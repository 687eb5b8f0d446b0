"""The description of one class of skippable block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..layers.blocks import SkippableBlock


@dataclass(frozen=True)
class BlockKind:
    """What one class of skippable block looks like.

    Attributes:
        block_class: a subclass of :class:`~skiptune.SkippableBlock`, in front, and of the model's own class.
        width: of its residual stream, from the model's configuration.
        sublayers: number of block adapters per block, which its ``forward`` adds by ``adapt``; 0: the block is only
            skipped, or adapted by LoRA.
        skip_factor: default width of the skip adapter, in block-adapter widths.
        lora_targets: names, inside the block, of the linear layers that get LoRA.
        scaled_targets: names of the layers whose outputs (IA)³ scales: keys and values of every attention.
        narrowing: name of the last linear layer of the feed-forward network, whose inputs (IA)³ scales; empty: none.
    """

    block_class: type[SkippableBlock]
    width: Callable[[Any], int] = lambda config: int(config.hidden_size)
    sublayers: int = 0
    skip_factor: int = 2
    lora_targets: tuple[str, ...] = ()
    scaled_targets: tuple[str, ...] = ()
    narrowing: str = ""


def fusion_kind(
    block_class: type[SkippableBlock], attentions: tuple[str, ...], widening: str, narrowing: str
) -> BlockKind:
    """A layer of self-attention, cross-attention and feed-forward network.

    Args:
        block_class: the class, after adoption.
        attentions: names, inside the block, of the modules with the ``query``, ``key`` and ``value`` of each attention.
        widening, narrowing: names of the first and the last linear layer of the feed-forward network.
    """

    def of_each(*parts: str) -> tuple[str, ...]:
        return tuple(f"{attention}.{part}" for attention in attentions for part in parts)

    return BlockKind(
        block_class=block_class,
        width=lambda config: int(config.hidden_size),
        sublayers=3,
        skip_factor=3,
        lora_targets=(*of_each("query", "value"), widening, narrowing),
        scaled_targets=of_each("key", "value"),
        narrowing=narrowing,
    )


def encoder_kind(block_class: type[SkippableBlock], config_of: Callable[[Any], Any]) -> BlockKind:
    """A layer of an encoder below the fusion, which is skipped but never adapted.

    Args:
        block_class: the class, after adoption.
        config_of: the encoder's configuration, from the model's.
    """
    return BlockKind(
        block_class=block_class,
        width=lambda config: int(config_of(config).hidden_size),
        sublayers=0,
        skip_factor=3,
        lora_targets=(),
    )
