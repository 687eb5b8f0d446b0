"""The row of a language model behind an image tower."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from ..block_kind import BlockKind, adopt_blocks
from ..family import Family, all_read, none_protected
from . import structure
from .image_inputs import Pictures, vlm_inputs, vlm_sizes
from .image_passage import freezable, reducible, watch_images
from .kinds import DecoderClasses
from .towers import adopt_tower, below_decoder, tower_blocks


def vlm_family(
    classes: tuple[type[PreTrainedModel], ...],
    decoders: Sequence[DecoderClasses],
    towers: Sequence[BlockKind],
    pictures: Callable[[nn.Module, tuple[int, int], int], Pictures],
    projector: tuple[str, ...],
    unread: Callable[[Any], tuple[str, ...]] = all_read,
    protected: Callable[[Any], Mapping[str, str]] = none_protected,
) -> Family:
    """The row of a vision-language model. What maps images to the decoder's width is trained beside the adapters.

    Args:
        classes: transformers' own, the one with the head that generates first.
        decoders: what its language model's layers may be of.
        towers: what its image tower's layers may be of.
        pictures: makes random images, from a model, height and width in pixels, and their number.
        projector: names of the parts between both, in the model without the head.
        unread: names of blocks whose output nothing reads, from a configuration.
        protected: names of blocks that a search keeps, and why, from a configuration.
    """
    config_class: Any = classes[0].config_class
    return Family(
        name=config_class.model_type,
        kinds=(*(kind for one in decoders for kind in one.kinds), *towers),
        blocks=blocks,
        config_class=config_class,
        sizes=vlm_sizes,
        base_prefix="",  # the head that generates is part of the pre-trained model
        model_classes={"generation": classes[0]},
        bare_classes=classes[1:],
        adopt=partial(_adopt, kinds=tuple(kind for one in decoders for kind in one.kinds)),
        reducible=reducible,
        freezable=freezable,
        adopt_encoders=partial(adopt_tower, kinds=tuple(towers)),
        adopt_halves=partial(structure.adopt_halves, classes=tuple(decoders)),
        below=lambda model: [structure.decoder_of(model).embed_tokens, *below_decoder(model)],
        small_parts=tuple(f"{prefix}{name}" for name in projector for prefix in ("model.", "")),
        example_inputs=partial(vlm_inputs, pictures),
        unread=unread,
        protected=protected,
    )


def _adopt(model: nn.Module, kinds: Sequence[BlockKind]) -> None:
    config: Any = model.config
    adopt_blocks(config.model_type, kinds, structure.blocks(model))
    watch_images(model)


def blocks(model: nn.Module) -> dict[str, nn.Module]:
    """The decoder's layers or halves of them, then those of the image tower, where adopted."""
    return {**structure.blocks(model), **tower_blocks(model)}
