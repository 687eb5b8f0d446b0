"""The row of LLaVA-OneVision in the table of families."""

from __future__ import annotations

from functools import partial

from transformers import LlavaOnevisionForConditionalGeneration, LlavaOnevisionModel

from .any_resolution import any_resolution
from .text_layers import OF_ANY_TEXT
from .tower_outputs import unread_layers
from .towers import OF_ANY_TOWER
from .vlm import vlm_family

FAMILY = vlm_family(
    (LlavaOnevisionForConditionalGeneration, LlavaOnevisionModel),
    OF_ANY_TEXT,
    OF_ANY_TOWER,
    partial(any_resolution, settings=("vision_aspect_ratio",)),
    projector=("multi_modal_projector.", "image_newline"),
    unread=unread_layers,
)
