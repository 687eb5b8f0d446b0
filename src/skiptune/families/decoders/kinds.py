"""The classes of one decoder's blocks as entries of a family's table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..block_kind import BlockKind, Folding
from .layer import SkippableAttention, SkippableDecoderLayer, SkippableMlp

#: The feed-forward network's output goes into the residual stream as it is.
AFTER_MLP = Folding("output", place="mlp", layers=("mlp.down_proj",))
#: A norm stands between the two (Gemma 2 and 3).
BEFORE_ATTENTION = Folding(
    "input", place="input_layernorm", layers=("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
)


@dataclass(frozen=True)
class DecoderClasses:
    """A decoder's layer and its halves, as skippable blocks.

    Attributes:
        layer, attention, mlp: subclasses of the classes of :mod:`.layer`, in front, and of transformers' own.
        folding: where linear adapters of skipped layers go.
    """

    layer: type[SkippableDecoderLayer]
    attention: type[SkippableAttention]
    mlp: type[SkippableMlp]
    folding: Folding = AFTER_MLP

    @property
    def kinds(self) -> tuple[BlockKind, ...]:
        """Their entries in a family's table."""
        attention, mlp = ("q_proj", "v_proj"), ("up_proj", "down_proj")
        inside = (*(f"self_attn.{name}" for name in attention), *(f"mlp.{name}" for name in mlp))
        return (
            BlockKind(self.layer, _width, lora_targets=inside, folding=self.folding),
            BlockKind(self.attention, _width, lora_targets=attention),
            BlockKind(self.mlp, _width, lora_targets=mlp),
        )


def _width(config: Any) -> int:
    return int(config.get_text_config().hidden_size)
