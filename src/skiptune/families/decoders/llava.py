"""The row of LLaVA 1.5 in the table of families."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from torch import nn
from transformers import LlavaForConditionalGeneration, LlavaModel

from . import photo_tower  # makes its tower known to transformers
from .image_inputs import Pictures
from .pictures import of_one_size, packed, patches_of
from .text_layers import OF_ANY_TEXT
from .tower_outputs import unread_layers
from .towers import OF_ANY_TOWER, tower_of
from .vlm import vlm_family


def pictures(model: nn.Module, image_size: tuple[int, int], batch: int) -> Pictures:
    """A token a patch, and one for CLIP's class token where the model keeps it. Pixtral takes images of any size."""
    config: Any = model.config
    embeddings = getattr(tower_of(model), "embeddings", None)
    if embeddings is None:
        return packed(model, image_size, batch)
    classed = hasattr(embeddings, "class_embedding")
    tokens = patches_of(config) + classed - (config.vision_feature_select_strategy == "default")
    return of_one_size(model, image_size, batch, tokens)


def not_plain(model: nn.Module, skipped: Collection[str]) -> str:
    """Why transformers alone could not read it; empty: it could."""
    config: Any = model.config
    own = config.vision_config.model_type == photo_tower.PhotoTowerConfig.model_type
    return "its image tower is SkipTune's own, which transformers alone has not; form: 'standalone' can" if own else ""


FAMILY = replace(
    vlm_family(
        (LlavaForConditionalGeneration, LlavaModel),
        OF_ANY_TEXT,
        OF_ANY_TOWER,
        pictures,
        projector=("multi_modal_projector.",),
        unread=unread_layers,
    ),
    not_plain=not_plain,
)
