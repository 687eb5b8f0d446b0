"""The table of model families, see :mod:`skiptune.families.family`, and look-ups in it."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import (
    BridgeTowerConfig,
    BridgeTowerProcessor,
    ViltConfig,
    ViltForQuestionAnswering,
    ViltProcessor,
)
from transformers.models.bridgetower.image_processing_pil_bridgetower import BridgeTowerImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.vilt.image_processing_pil_vilt import ViltImageProcessorPil

from ..errors import InputError
from . import released, vilt
from .bridgetower import (
    BridgeTowerForImageAndTextRanking,
    BridgeTowerForQuestionAnswering,
    BridgeTowerForVisualEntailment,
    BridgeTowerForVisualReasoning,
)
from .bridgetower import processing as bridgetower_processing
from .bridgetower import skipping as bridgetower
from .bridgetower.skipping import SkippableCrossLayer, SkippableTextLayer, SkippableVisionLayer
from .family import BlockKind, Family
from .meter import (
    MeterConfig,
    MeterForImageAndTextRetrieval,
    MeterForQuestionAnswering,
    MeterForVisualEntailment,
    MeterForVisualReasoning,
    MeterProcessor,
)
from .meter import processing as meter_processing
from .meter import skipping as meter
from .meter.modeling import MeterFusionLayer
from .meter.skipping import SkippableClipLayer, SkippableRobertaLayer
from .vilt_heads import ViltForRanking, ViltForVisualEntailment, ViltForVisualReasoning

FAMILIES = (
    Family(
        name="vilt",
        model_types=("vilt",),
        kinds=(
            BlockKind(
                block_class=vilt.SkippableViltLayer,
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
            ),
        ),
        adopt=vilt.adopt,
        adopt_encoders=None,
        blocks=vilt.blocks,
        below=vilt.below,
        encoders=None,
        add_prompts=vilt.add_prompts,
        small_parts=("vilt.pooler.", "vilt.embeddings.token_type_embeddings."),
        base_prefix="vilt.",
        config_class=ViltConfig,
        sizes=vilt.sizes,
        model_classes={
            "vqa": ViltForQuestionAnswering,
            "nlvr2": ViltForVisualReasoning,
            "retrieval": ViltForRanking,
            "entailment": ViltForVisualEntailment,
        },
        pair_config={"num_images": 2, "modality_type_vocab_size": 3},
        pads_images=True,
        matching=False,
        released=released.VILT,
        processor_classes=(ViltProcessor, ViltImageProcessorPil),
        image_processor=vilt.image_processor,
        fresh_processor=vilt.fresh_processor,
    ),
    Family(
        name="meter",
        model_types=("meter",),
        kinds=(
            BlockKind(
                block_class=MeterFusionLayer,
                width=lambda config: int(config.hidden_size),
                sublayers=3,
                skip_factor=3,
                lora_targets=(
                    "self_attention.query",
                    "self_attention.value",
                    "cross_attention.query",
                    "cross_attention.value",
                    "intermediate",
                    "output",
                ),
                scaled_targets=(
                    "self_attention.key",
                    "self_attention.value",
                    "cross_attention.key",
                    "cross_attention.value",
                ),
                narrowing="output",
            ),
            BlockKind(
                block_class=SkippableRobertaLayer,
                width=lambda config: int(config.text_config.hidden_size),
                sublayers=0,
                skip_factor=3,
                lora_targets=(),
            ),
            BlockKind(
                block_class=SkippableClipLayer,
                width=lambda config: int(config.vision_config.hidden_size),
                sublayers=0,
                skip_factor=3,
                lora_targets=(),
            ),
        ),
        adopt=meter.adopt,
        adopt_encoders=meter.adopt_encoders,
        blocks=meter.blocks,
        below=meter.below,
        encoders=meter.encoders,
        add_prompts=meter.add_prompts,
        small_parts=(
            "meter.text_pooler.",
            "meter.image_pooler.",
            "meter.token_type_embeddings.",
            "meter.token4classifier",
        ),
        base_prefix="meter.",
        config_class=MeterConfig,
        sizes=meter_processing.sizes,
        model_classes={
            "vqa": MeterForQuestionAnswering,
            "nlvr2": MeterForVisualReasoning,
            "retrieval": MeterForImageAndTextRetrieval,
            "entailment": MeterForVisualEntailment,
        },
        pair_config={},
        pads_images=False,
        matching=True,
        released=released.METER,
        processor_classes=(MeterProcessor, CLIPImageProcessorPil),
        image_processor=lambda config, side: meter_processing.square_images(side),
        fresh_processor=meter_processing.fresh_processor,
    ),
    Family(
        name="bridgetower",
        model_types=("bridgetower",),
        kinds=(
            BlockKind(
                block_class=SkippableCrossLayer,
                width=lambda config: int(config.hidden_size),
                sublayers=3,
                skip_factor=3,
                lora_targets=(
                    "attention.self.query",
                    "attention.self.value",
                    "crossattention.self.query",
                    "crossattention.self.value",
                    "intermediate.dense",
                    "output.dense",
                ),
                scaled_targets=(
                    "attention.self.key",
                    "attention.self.value",
                    "crossattention.self.key",
                    "crossattention.self.value",
                ),
                narrowing="output.dense",
            ),
            BlockKind(
                block_class=SkippableTextLayer,
                width=lambda config: int(config.text_config.hidden_size),
                sublayers=0,
                skip_factor=3,
                lora_targets=(),
            ),
            BlockKind(
                block_class=SkippableVisionLayer,
                width=lambda config: int(config.vision_config.hidden_size),
                sublayers=0,
                skip_factor=3,
                lora_targets=(),
            ),
        ),
        adopt=bridgetower.adopt,
        adopt_encoders=bridgetower.adopt_encoders,
        blocks=bridgetower.blocks,
        below=bridgetower.below,
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
        base_prefix="bridgetower.",
        config_class=BridgeTowerConfig,
        sizes=bridgetower_processing.sizes,
        model_classes={
            "vqa": BridgeTowerForQuestionAnswering,
            "nlvr2": BridgeTowerForVisualReasoning,
            "retrieval": BridgeTowerForImageAndTextRanking,
            "entailment": BridgeTowerForVisualEntailment,
        },
        pair_config={},
        pads_images=False,
        matching=True,
        released=released.BRIDGETOWER,
        processor_classes=(BridgeTowerProcessor, BridgeTowerImageProcessorPil),
        image_processor=bridgetower_processing.image_processor,
        fresh_processor=bridgetower_processing.fresh_processor,
    ),
)


def family_of(model: nn.Module) -> Family:
    """The family of a transformers model.

    Raises:
        InputError: no family covers it; the message lists those that do exist.
    """
    return family_of_type(getattr(getattr(model, "config", None), "model_type", None), type(model).__name__)


def family_of_processor(processor: Any) -> Family:
    """The family a processor prepares inputs for.

    Raises:
        InputError: no family has processors of its class.
    """
    for family in FAMILIES:
        if isinstance(processor, family.processor_classes[0]):
            return family
    known = ", ".join(family.processor_classes[0].__name__ for family in FAMILIES)
    raise InputError(f"{type(processor).__name__} is no processor of a supported family; supported: {known}")


def family_of_type(model_type: str | None, subject: str) -> Family:
    """The family of a ``config.model_type``; ``subject`` opens the message if there is none.

    Raises:
        InputError: no family covers it; the message lists those that do exist.
    """
    for family in FAMILIES:
        if model_type in family.model_types:
            return family
    known = ", ".join(kind for family in FAMILIES for kind in family.model_types)
    raise InputError(f"{subject} (model_type {model_type!r}) is not a supported family; supported: {known}")
