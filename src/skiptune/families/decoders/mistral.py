"""Mistral's layers as skippable blocks, and its row of the table of families."""

from __future__ import annotations

from transformers import (
    MistralConfig,
    MistralForCausalLM,
    MistralForQuestionAnswering,
    MistralForSequenceClassification,
    MistralForTokenClassification,
    MistralModel,
)
from transformers.models.mistral.modeling_mistral import MistralAttention, MistralDecoderLayer, MistralMLP

from .kinds import DecoderClasses
from .layer import SkippableAttention, SkippableDecoderLayer, SkippableMlp
from .text import text_family


class SkippableMistralLayer(SkippableDecoderLayer, MistralDecoderLayer):
    """A layer of Mistral."""


class SkippableMistralAttention(SkippableAttention, MistralAttention):
    """Its attention."""


class SkippableMistralMlp(SkippableMlp, MistralMLP):
    """Its feed-forward network."""


CLASSES = DecoderClasses(SkippableMistralLayer, SkippableMistralAttention, SkippableMistralMlp)
FAMILY = text_family(
    MistralConfig,
    CLASSES,
    MistralForCausalLM,
    MistralModel,
    MistralForSequenceClassification,
    MistralForTokenClassification,
    MistralForQuestionAnswering,
)
