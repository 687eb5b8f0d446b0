"""The row of a language model without images."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ..family import Family, InputSizes
from .kinds import DecoderClasses
from .structure import adopt_halves, blocks, decoder_of

_TEXT = 64  # tokens


def text_sizes(config: Any) -> InputSizes:
    """Sizes of a decoder's inputs; no image."""
    text = config.get_text_config()
    return InputSizes(
        image_size=0,
        patch_size=1,
        vocab_size=text.vocab_size,
        text_length=min(_TEXT, text.max_position_embeddings),
        longest_text=text.max_position_embeddings,
    )


def text_inputs(model: nn.Module, image_size: tuple[int, int], text_length: int, batch: int) -> dict[str, Tensor]:
    """Random ids ``(batch, text_length)`` and their mask; ``image_size`` is of no use here."""
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(0)
    config: Any = model.config
    ids = torch.randint(0, config.get_text_config().vocab_size, (batch, text_length), generator=generator).to(device)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def text_family(
    config_class: type[Any],
    classes: DecoderClasses,
    model_class: type[PreTrainedModel],
    *bare_classes: type[PreTrainedModel],
) -> Family:
    """The row of a language model.

    Args:
        config_class: transformers' configuration.
        classes: of its layers.
        model_class: the class with the head that generates.
        bare_classes: further ones that are trained by a Trainer of one's own.
    """
    return Family(
        name=config_class.model_type,
        kinds=classes.kinds,
        blocks=blocks,
        config_class=config_class,
        sizes=text_sizes,
        base_prefix="",  # the head that generates is part of the pre-trained model
        model_classes={"generation": model_class},
        bare_classes=bare_classes,
        adopt_halves=partial(adopt_halves, classes=(classes,)),
        below=lambda model: [decoder_of(model).embed_tokens],
        example_inputs=text_inputs,
    )
