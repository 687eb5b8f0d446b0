"""Gemma2's layers as skippable blocks, and its row of the table of families."""

from __future__ import annotations

from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma2ForSequenceClassification,
    Gemma2ForTokenClassification,
    Gemma2Model,
)
from transformers.models.gemma2.modeling_gemma2 import Gemma2Attention, Gemma2DecoderLayer, Gemma2MLP

from .kinds import BEFORE_ATTENTION, DecoderClasses
from .layer import SkippableAttention, SkippableDecoderLayer, SkippableMlp
from .text import text_family


class SkippableGemma2Layer(SkippableDecoderLayer, Gemma2DecoderLayer):
    """A layer of Gemma2."""


class SkippableGemma2Attention(SkippableAttention, Gemma2Attention):
    """Its attention."""


class SkippableGemma2Mlp(SkippableMlp, Gemma2MLP):
    """Its feed-forward network."""


CLASSES = DecoderClasses(SkippableGemma2Layer, SkippableGemma2Attention, SkippableGemma2Mlp, BEFORE_ATTENTION)
FAMILY = text_family(
    Gemma2Config,
    CLASSES,
    Gemma2ForCausalLM,
    Gemma2Model,
    Gemma2ForSequenceClassification,
    Gemma2ForTokenClassification,
)
