"""The row of PaliGemma 1 and 2 in the table of families."""

from __future__ import annotations

from dataclasses import replace

from torch import nn
from transformers import PaliGemmaForConditionalGeneration, PaliGemmaModel

from . import gemma, gemma2
from .image_inputs import Pictures
from .pictures import of_one_size, patches_of
from .towers import OF_ANY_TOWER
from .vlm import vlm_family


def pictures(model: nn.Module, image_size: tuple[int, int], batch: int) -> Pictures:
    """A token a patch. Image and text are marked as one prefix, in which all tokens see each other."""
    made = of_one_size(model, image_size, batch, patches_of(model.config))
    return replace(made, marks="token_type_ids", mark=0)


FAMILY = vlm_family(
    (PaliGemmaForConditionalGeneration, PaliGemmaModel),
    (gemma.CLASSES, gemma2.CLASSES),
    OF_ANY_TOWER,
    pictures,
    projector=("multi_modal_projector.",),
)
