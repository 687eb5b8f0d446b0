"""BridgeTower's row of the table of families."""

from __future__ import annotations

from transformers import BridgeTowerConfig, BridgeTowerProcessor
from transformers.models.bridgetower.image_processing_pil_bridgetower import BridgeTowerImageProcessorPil

from .. import released_settings
from ..block_kind import encoder_kind, fusion_kind
from ..family import Family
from . import plain, processing, skipping
from .heads import (
    BridgeTowerForClassification,
    BridgeTowerForImageAndTextRanking,
    BridgeTowerForQuestionAnswering,
    BridgeTowerForVisualEntailment,
    BridgeTowerForVisualReasoning,
)
from .skipping import SkippableCrossLayer, SkippableTextLayer, SkippableVisionLayer

FAMILY = Family(
    name="bridgetower",
    kinds=(
        fusion_kind(
            SkippableCrossLayer, ("attention.self", "crossattention.self"), "intermediate.dense", "output.dense"
        ),
        encoder_kind(SkippableTextLayer, lambda config: config.text_config),
        encoder_kind(SkippableVisionLayer, lambda config: config.vision_config),
    ),
    adopt=skipping.adopt,
    adopt_encoders=skipping.adopt_encoders,
    blocks=skipping.blocks,
    below=skipping.below,
    reducible=skipping.reducible,
    why_not_before=skipping.WHY_NOT_BEFORE,
    encoders=None,  # every fusion layer reads a stream of its own: six times what METER's would take
    add_prompts=None,
    small_parts=(
        "bridgetower.cross_modal_text_pooler.",
        "bridgetower.cross_modal_image_pooler.",
        # bridges: a LayerNorm each
        "bridgetower.cross_modal_text_link_tower.",
        "bridgetower.cross_modal_image_link_tower.",
        "bridgetower.token_type_embeddings.",
        "second_image_type",
    ),
    poolers=("bridgetower.cross_modal_text_pooler.", "bridgetower.cross_modal_image_pooler."),
    decayed_norms=("bridgetower.vision_model.",),
    base_prefix="bridgetower.",
    config_class=BridgeTowerConfig,
    sizes=processing.sizes,
    model_classes={
        "vqa": BridgeTowerForQuestionAnswering,
        "reasoning": BridgeTowerForVisualReasoning,
        "retrieval": BridgeTowerForImageAndTextRanking,
        "entailment": BridgeTowerForVisualEntailment,
        "classification": BridgeTowerForClassification,
        "regression": BridgeTowerForClassification,
    },
    pair_config={},
    pads_images=False,
    matching=True,
    released=released_settings.BRIDGETOWER,
    not_plain=plain.not_plain,
    processor_classes=(BridgeTowerProcessor, BridgeTowerImageProcessorPil),
    image_processor=processing.image_processor,
    fresh_processor=processing.fresh_processor,
)
