"""CLIP's row of the table of families."""

from __future__ import annotations

from transformers import CLIPConfig, CLIPForImageClassification, CLIPModel, CLIPProcessor
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from ..dual_encoder.layers import below, blocks, tower_kind
from ..family import Family
from . import processing, skipping
from .heads import (
    ClipForClassification,
    ClipForImageAndTextRetrieval,
    ClipForQuestionAnswering,
    ClipForVisualEntailment,
    ClipForVisualReasoning,
)
from .skipping import SkippableClipImageLayer, SkippableClipTextLayer

FAMILY = Family(
    name="clip",
    kinds=(
        tower_kind(SkippableClipTextLayer, lambda config: config.text_config),
        tower_kind(SkippableClipImageLayer, lambda config: config.vision_config),
    ),
    blocks=blocks,
    config_class=CLIPConfig,
    sizes=processing.sizes,
    base_prefix=("text_model.", "vision_model."),
    model_classes={
        "vqa": ClipForQuestionAnswering,
        "reasoning": ClipForVisualReasoning,
        "retrieval": ClipForImageAndTextRetrieval,
        "entailment": ClipForVisualEntailment,
        "classification": ClipForClassification,
        "regression": ClipForClassification,
    },
    bare_classes=(CLIPModel, CLIPForImageClassification),
    adopt=skipping.adopt,
    below=below,
    # the last, linear layer of each tower, as poolers are; the temperature of the loss
    small_parts=("text_projection.", "visual_projection.", "logit_scale"),
    poolers=("text_projection.", "visual_projection."),
    processor_classes=(CLIPProcessor, CLIPImageProcessorPil),
    image_processor=processing.image_processor,
    fresh_processor=processing.fresh_processor,
)
