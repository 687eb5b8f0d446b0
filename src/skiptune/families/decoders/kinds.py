"""The classes of one decoder's blocks as entries of a family's table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..block_kind import BlockKind
from .layer import SkippableAttention, SkippableDecoderLayer, SkippableMlp


@dataclass(frozen=True)
class DecoderClasses:
    """A decoder's layer and its halves, as skippable blocks.

    Attributes:
        layer, attention, mlp: subclasses of the classes of :mod:`.layer`, in front, and of transformers' own.
    """

    layer: type[SkippableDecoderLayer]
    attention: type[SkippableAttention]
    mlp: type[SkippableMlp]

    @property
    def kinds(self) -> tuple[BlockKind, ...]:
        """Their entries in a family's table."""
        attention, mlp = ("q_proj", "v_proj"), ("up_proj", "down_proj")
        inside = (*(f"self_attn.{name}" for name in attention), *(f"mlp.{name}" for name in mlp))
        return (
            BlockKind(self.layer, _width, lora_targets=inside),
            BlockKind(self.attention, _width, lora_targets=attention),
            BlockKind(self.mlp, _width, lora_targets=mlp),
        )


def _width(config: Any) -> int:
    return int(config.get_text_config().hidden_size)
