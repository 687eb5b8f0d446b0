"""The row of Gemma 3 with images in the table of families."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import nn
from transformers import Gemma3ForConditionalGeneration, Gemma3ForSequenceClassification, Gemma3Model

from . import gemma3_text
from .image_inputs import Pictures
from .pictures import of_one_size
from .towers import OF_ANY_TOWER
from .vlm import vlm_family


def pictures(model: nn.Module, image_size: tuple[int, int], batch: int) -> Pictures:
    """Patches are averaged to a fixed number of tokens, which see each other in both directions."""
    config: Any = model.config
    made = of_one_size(model, image_size, batch, config.mm_tokens_per_image)
    return replace(made, marks="token_type_ids")


FAMILY = vlm_family(
    (Gemma3ForConditionalGeneration, Gemma3Model, Gemma3ForSequenceClassification),
    (gemma3_text.CLASSES,),
    OF_ANY_TOWER,
    pictures,
    projector=("multi_modal_projector.",),
)
