"""Llama's layers as skippable blocks, and its row of the table of families."""

from __future__ import annotations

from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForQuestionAnswering,
    LlamaForSequenceClassification,
    LlamaForTokenClassification,
    LlamaModel,
)
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaDecoderLayer, LlamaMLP

from .kinds import DecoderClasses
from .layer import SkippableAttention, SkippableDecoderLayer, SkippableMlp
from .text import text_family


class SkippableLlamaLayer(SkippableDecoderLayer, LlamaDecoderLayer):
    """A layer of Llama."""


class SkippableLlamaAttention(SkippableAttention, LlamaAttention):
    """Its attention."""


class SkippableLlamaMlp(SkippableMlp, LlamaMLP):
    """Its feed-forward network."""


CLASSES = DecoderClasses(SkippableLlamaLayer, SkippableLlamaAttention, SkippableLlamaMlp)
FAMILY = text_family(
    LlamaConfig,
    CLASSES,
    LlamaForCausalLM,
    LlamaModel,
    LlamaForSequenceClassification,
    LlamaForTokenClassification,
    LlamaForQuestionAnswering,
)
