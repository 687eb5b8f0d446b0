"""SigLIP's row of the table of families."""

from __future__ import annotations

from transformers import SiglipConfig, SiglipForImageClassification, SiglipModel, SiglipProcessor
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from ..dual_encoder.layers import below, blocks, tower_kind
from ..dual_encoder.sizes import tower_sizes
from ..family import Family
from . import processing, skipping
from .heads import (
    SiglipForClassification,
    SiglipForImageAndTextRetrieval,
    SiglipForQuestionAnswering,
    SiglipForVisualEntailment,
    SiglipForVisualReasoning,
)
from .skipping import SkippableSiglipImageLayer, SkippableSiglipTextLayer

FAMILY = Family(
    name="siglip",
    kinds=(
        tower_kind(SkippableSiglipTextLayer, lambda config: config.text_config),
        tower_kind(SkippableSiglipImageLayer, lambda config: config.vision_config),
    ),
    blocks=blocks,
    config_class=SiglipConfig,
    sizes=tower_sizes,
    base_prefix=("text_model.", "vision_model."),
    model_classes={
        "vqa": SiglipForQuestionAnswering,
        "reasoning": SiglipForVisualReasoning,
        "retrieval": SiglipForImageAndTextRetrieval,
        "entailment": SiglipForVisualEntailment,
        "classification": SiglipForClassification,
        "regression": SiglipForClassification,
    },
    bare_classes=(SiglipModel, SiglipForImageClassification),
    adopt=skipping.adopt,
    below=below,
    fills_texts=True,
    # the text tower's last, linear layer; of the image tower's attention pooling, a whole layer, the small parts;
    # temperature and bias of the loss
    small_parts=(
        "text_model.head.",
        "vision_model.head.probe",
        "vision_model.head.layernorm.",
        "logit_scale",
        "logit_bias",
    ),
    poolers=("text_model.head.", "vision_model.head."),
    processor_classes=(SiglipProcessor, SiglipImageProcessorPil),
    image_processor=processing.image_processor,
    fresh_processor=processing.fresh_processor,
)
