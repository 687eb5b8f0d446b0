"""Gemma3's layers as skippable blocks, and its row of the table of families."""

from __future__ import annotations

from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    Gemma3TextForSequenceClassification,
    Gemma3TextModel,
)
from transformers.models.gemma3.modeling_gemma3 import Gemma3Attention, Gemma3DecoderLayer, Gemma3MLP

from .kinds import BEFORE_ATTENTION, DecoderClasses
from .layer import SkippableAttention, SkippableDecoderLayer, SkippableMlp
from .text import text_family


class SkippableGemma3Layer(SkippableDecoderLayer, Gemma3DecoderLayer):
    """A layer of Gemma3."""


class SkippableGemma3Attention(SkippableAttention, Gemma3Attention):
    """Its attention."""


class SkippableGemma3Mlp(SkippableMlp, Gemma3MLP):
    """Its feed-forward network."""


CLASSES = DecoderClasses(SkippableGemma3Layer, SkippableGemma3Attention, SkippableGemma3Mlp, BEFORE_ATTENTION)
FAMILY = text_family(
    Gemma3TextConfig,
    CLASSES,
    Gemma3ForCausalLM,
    Gemma3TextModel,
    Gemma3TextForSequenceClassification,
)
