"""ViLT's row of the table of families."""

from __future__ import annotations

from transformers import ViltConfig, ViltForQuestionAnswering, ViltProcessor
from transformers.models.vilt.image_processing_pil_vilt import ViltImageProcessorPil

from .. import released_settings
from ..block_kind import BlockKind, Folding
from ..family import Family
from . import processing, skipping
from .heads import ViltForClassification, ViltForRanking, ViltForVisualEntailment, ViltForVisualReasoning

FAMILY = Family(
    name="vilt",
    kinds=(
        BlockKind(
            block_class=skipping.SkippableViltLayer,
            width=lambda config: int(config.hidden_size),
            sublayers=2,
            skip_factor=2,
            lora_targets=(
                "attention.attention.query",
                "attention.attention.value",
                "intermediate.dense",
                "output.dense",
            ),
            scaled_targets=("attention.attention.key", "attention.attention.value"),
            narrowing="output.dense",
            folding=Folding("output", place="output.dropout", layers=("output.dense",)),
        ),
    ),
    adopt=skipping.adopt,
    adopt_encoders=None,
    blocks=skipping.blocks,
    below=skipping.below,
    reducible=skipping.reducible,
    encoders=None,
    add_prompts=skipping.add_prompts,
    small_parts=("vilt.pooler.", "vilt.embeddings.token_type_embeddings."),
    poolers=("vilt.pooler.",),
    decayed_norms=(),
    base_prefix="vilt.",
    config_class=ViltConfig,
    sizes=processing.sizes,
    model_classes={
        "vqa": ViltForQuestionAnswering,
        "reasoning": ViltForVisualReasoning,
        "retrieval": ViltForRanking,
        "entailment": ViltForVisualEntailment,
        "classification": ViltForClassification,
        "regression": ViltForClassification,
    },
    pair_config={"num_images": 2, "modality_type_vocab_size": 3},
    pads_images=True,
    matching=False,
    released=released_settings.VILT,
    processor_classes=(ViltProcessor, ViltImageProcessorPil),
    image_processor=processing.image_processor,
    fresh_processor=processing.fresh_processor,
)
