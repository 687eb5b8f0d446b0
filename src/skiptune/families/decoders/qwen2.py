"""Qwen2's layers as skippable blocks, and its row of the table of families."""

from __future__ import annotations

from transformers import (
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2ForQuestionAnswering,
    Qwen2ForSequenceClassification,
    Qwen2ForTokenClassification,
    Qwen2Model,
)
from transformers.models.qwen2.modeling_qwen2 import Qwen2Attention, Qwen2DecoderLayer, Qwen2MLP

from .kinds import DecoderClasses
from .layer import SkippableAttention, SkippableDecoderLayer, SkippableMlp
from .text import text_family


class SkippableQwen2Layer(SkippableDecoderLayer, Qwen2DecoderLayer):
    """A layer of Qwen2."""


class SkippableQwen2Attention(SkippableAttention, Qwen2Attention):
    """Its attention."""


class SkippableQwen2Mlp(SkippableMlp, Qwen2MLP):
    """Its feed-forward network."""


CLASSES = DecoderClasses(SkippableQwen2Layer, SkippableQwen2Attention, SkippableQwen2Mlp)
FAMILY = text_family(
    Qwen2Config,
    CLASSES,
    Qwen2ForCausalLM,
    Qwen2Model,
    Qwen2ForSequenceClassification,
    Qwen2ForTokenClassification,
    Qwen2ForQuestionAnswering,
)
