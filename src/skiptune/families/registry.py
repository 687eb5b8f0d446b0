"""The table of model families: how to find, switch over and adapt the blocks of each, and the classes of its tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn
from transformers import (
    PreTrainedModel,
    ViltConfig,
    ViltForImageAndTextRetrieval,
    ViltForImagesAndTextClassification,
    ViltForQuestionAnswering,
    ViltProcessor,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.vilt.image_processing_pil_vilt import ViltImageProcessorPil

from ..blocks import SkippableBlock
from ..checks import nearest
from ..errors import InputError
from . import vilt
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


@dataclass(frozen=True)
class BlockKind:
    """What one class of skippable block looks like.

    Attributes:
        block_class: the class, after adoption.
        width: of its residual stream, from the model's configuration.
        sublayers: block adapters a block; 0: it is never adapted, only skipped.
        skip_factor: default width of the skip adapter, in block-adapter widths.
        lora_targets: names, inside the block, of the linear layers that get LoRA.
    """

    block_class: type[SkippableBlock]
    width: Callable[[Any], int]
    sublayers: int
    skip_factor: int
    lora_targets: tuple[str, ...]


@dataclass(frozen=True)
class Family:
    """What the rest of the package needs to know of a model family.

    Attributes:
        name: of the family, e.g. ``vilt``.
        model_types: transformers' ``config.model_type`` values it covers.
        kinds: the classes of its skippable blocks.
        adopt: switches a model's classes over to skippable ones, in place.
        adopt_encoders: does the same to the layers of encoders below those, for ``scope="global"``; ``None``: there
            are no such layers.
        blocks: names and modules of the skippable blocks, in model order.
        small_parts: parameter-name prefixes trained beside the adapters (poolers, token-type embeddings).
        base_prefix: prefix of the pre-trained body's parameters; what lies outside is the task head.
        config_class: transformers' configuration.
        model_classes: task name → class of a model with that task's head.
        processor_classes: of the processor and, with Pillow, its images.
        image_processor: for a configuration, images of so many pixels a side (the shorter one, if any shape goes).
        fresh_processor: a processor for a configuration with random weights.
    """

    name: str
    model_types: tuple[str, ...]
    kinds: tuple[BlockKind, ...]
    adopt: Callable[[nn.Module], None]
    adopt_encoders: Callable[[nn.Module], None] | None
    blocks: Callable[[nn.Module], dict[str, SkippableBlock]]
    small_parts: tuple[str, ...]
    base_prefix: str
    config_class: type[Any]
    model_classes: dict[str, type[PreTrainedModel]]
    processor_classes: tuple[type[Any], type[Any]]
    image_processor: Callable[[Any, int], Any]
    fresh_processor: Callable[[Any], Any]

    def kind_of(self, block: SkippableBlock) -> BlockKind:
        """The entry of a block's class."""
        return next(kind for kind in self.kinds if isinstance(block, kind.block_class))

    def model_class(self, task: str) -> type[PreTrainedModel]:
        """The class with the head of a task.

        Raises:
            InputError: the family has none for it.
        """
        if task not in self.model_classes:
            raise InputError(f"task {task!r}: {self.name} has no head for it{nearest(task, self.model_classes)}")
        return self.model_classes[task]


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
            ),
        ),
        adopt=vilt.adopt,
        adopt_encoders=None,
        blocks=vilt.blocks,
        small_parts=("vilt.pooler.", "vilt.embeddings.token_type_embeddings."),
        base_prefix="vilt.",
        config_class=ViltConfig,
        model_classes={
            "vqa": ViltForQuestionAnswering,
            "nlvr2": ViltForImagesAndTextClassification,
            "retrieval": ViltForImageAndTextRetrieval,
        },
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
        small_parts=(
            "meter.text_pooler.",
            "meter.image_pooler.",
            "meter.token_type_embeddings.",
            "meter.token4classifier",
        ),
        base_prefix="meter.",
        config_class=MeterConfig,
        model_classes={
            "vqa": MeterForQuestionAnswering,
            "nlvr2": MeterForVisualReasoning,
            "retrieval": MeterForImageAndTextRetrieval,
            "entailment": MeterForVisualEntailment,
        },
        processor_classes=(MeterProcessor, CLIPImageProcessorPil),
        image_processor=lambda config, side: meter_processing.square_images(side),
        fresh_processor=meter_processing.fresh_processor,
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
