"""METER's row of the table of families."""

from __future__ import annotations

from .. import released_settings
from ..block_kind import encoder_kind, fusion_kind
from ..family import Family
from . import processing, skipping
from .configuration import MeterConfig
from .heads import (
    MeterForClassification,
    MeterForImageAndTextRetrieval,
    MeterForQuestionAnswering,
    MeterForVisualEntailment,
    MeterForVisualReasoning,
)
from .modeling import MeterFusionLayer
from .processing import MeterImageProcessor, MeterProcessor
from .skipping import SkippableClipLayer, SkippableRobertaLayer

FAMILY = Family(
    name="meter",
    kinds=(
        fusion_kind(MeterFusionLayer, ("self_attention", "cross_attention"), "intermediate", "output"),
        encoder_kind(SkippableRobertaLayer, lambda config: config.text_config),
        encoder_kind(SkippableClipLayer, lambda config: config.vision_config),
    ),
    adopt=skipping.adopt,
    adopt_encoders=skipping.adopt_encoders,
    blocks=skipping.blocks,
    below=skipping.below,
    reducible=skipping.reducible,
    why_not_before="in clip and image only; clip's blocks can be named with scope: global",
    encoders=skipping.encoders,
    add_prompts=skipping.add_prompts,
    small_parts=(
        "meter.text_pooler.",
        "meter.image_pooler.",
        "meter.token_type_embeddings.",
        "meter.token4classifier",
    ),
    poolers=("meter.text_pooler.", "meter.image_pooler."),
    decayed_norms=("meter.clip.",),
    base_prefix="meter.",
    config_class=MeterConfig,
    sizes=processing.sizes,
    model_classes={
        "vqa": MeterForQuestionAnswering,
        "reasoning": MeterForVisualReasoning,
        "retrieval": MeterForImageAndTextRetrieval,
        "entailment": MeterForVisualEntailment,
        "classification": MeterForClassification,
        "regression": MeterForClassification,
    },
    pair_config={},
    pads_images=False,
    matching=True,
    released=released_settings.METER,
    processor_classes=(MeterProcessor, MeterImageProcessor),
    image_processor=processing.image_processor,
    fresh_processor=processing.fresh_processor,
)
