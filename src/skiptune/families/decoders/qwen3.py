"""Qwen3's layers as skippable blocks, and its row of the table of families."""

from __future__ import annotations

from transformers import (
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3ForQuestionAnswering,
    Qwen3ForSequenceClassification,
    Qwen3ForTokenClassification,
    Qwen3Model,
)
from transformers.models.qwen3.modeling_qwen3 import Qwen3Attention, Qwen3DecoderLayer, Qwen3MLP

from .kinds import DecoderClasses
from .layer import SkippableAttention, SkippableDecoderLayer, SkippableMlp
from .text import text_family


class SkippableQwen3Layer(SkippableDecoderLayer, Qwen3DecoderLayer):
    """A layer of Qwen3."""


class SkippableQwen3Attention(SkippableAttention, Qwen3Attention):
    """Its attention."""


class SkippableQwen3Mlp(SkippableMlp, Qwen3MLP):
    """Its feed-forward network."""


CLASSES = DecoderClasses(SkippableQwen3Layer, SkippableQwen3Attention, SkippableQwen3Mlp)
FAMILY = text_family(
    Qwen3Config,
    CLASSES,
    Qwen3ForCausalLM,
    Qwen3Model,
    Qwen3ForSequenceClassification,
    Qwen3ForTokenClassification,
    Qwen3ForQuestionAnswering,
)
