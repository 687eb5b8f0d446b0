"""The description of one class of skippable block."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..core.errors import InputError

if TYPE_CHECKING:
    from torch import nn

    from ..layers.blocks import SkippableBlock


@dataclass(frozen=True)
class Folding:
    """Where a linear skip adapter goes that costs nothing: through a kept block's own linear layers, exactly.

    Attributes:
        side: ``output``: the adapters of the skipped blocks after a kept one map what its feed-forward network gives,
            which goes into the residual stream as it is. ``input``: those of the skipped blocks before a kept one map
            the normed stream that its attention reads.
        place: name, inside the block, of the module whose output is mapped.
        layers: names of the linear layers that the map becomes a part of: on the ``output`` side those that give what
            is mapped, on the ``input`` side all that read it.
    """

    side: Literal["output", "input"]
    place: str
    layers: tuple[str, ...]


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
        folding: where the linear adapters of skipped neighbours go; ``None``: nowhere, as with a LayerNorm after the
            feed-forward network.
    """

    block_class: type[SkippableBlock]
    width: Callable[[Any], int] = lambda config: int(config.hidden_size)
    sublayers: int = 0
    skip_factor: int = 2
    lora_targets: tuple[str, ...] = ()
    scaled_targets: tuple[str, ...] = ()
    narrowing: str = ""
    folding: Folding | None = None


def adopt_blocks(family: str, kinds: Sequence[BlockKind], blocks: Mapping[str, nn.Module]) -> None:
    """Switch each block over to the kind that inherits from its class, in place.

    Args:
        family: its name.
        kinds: those that the blocks may be of.
        blocks: by name.

    Raises:
        InputError: a block is of a class that no kind inherits from.
    """
    for name, block in blocks.items():
        kind = next((kind.block_class for kind in kinds if issubclass(kind.block_class, type(block))), None)
        if kind is None:
            raise InputError(f"{family}: block {name} is a {type(block).__name__}, which no kind inherits from")
        kind.adopt(block)


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
