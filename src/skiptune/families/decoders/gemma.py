"""Gemma's layers as skippable blocks, and its row of the table of families."""

from __future__ import annotations

from transformers import (
    GemmaConfig,
    GemmaForCausalLM,
    GemmaForSequenceClassification,
    GemmaForTokenClassification,
    GemmaModel,
)
from transformers.models.gemma.modeling_gemma import GemmaAttention, GemmaDecoderLayer, GemmaMLP

from .kinds import DecoderClasses
from .layer import SkippableAttention, SkippableDecoderLayer, SkippableMlp
from .text import text_family


class SkippableGemmaLayer(SkippableDecoderLayer, GemmaDecoderLayer):
    """A layer of Gemma."""


class SkippableGemmaAttention(SkippableAttention, GemmaAttention):
    """Its attention."""


class SkippableGemmaMlp(SkippableMlp, GemmaMLP):
    """Its feed-forward network."""


CLASSES = DecoderClasses(SkippableGemmaLayer, SkippableGemmaAttention, SkippableGemmaMlp)
FAMILY = text_family(
    GemmaConfig,
    CLASSES,
    GemmaForCausalLM,
    GemmaModel,
    GemmaForSequenceClassification,
    GemmaForTokenClassification,
)
