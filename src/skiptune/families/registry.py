"""The table of model families: how to find, switch over and adapt the blocks of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from ..blocks import SkippableBlock
from ..errors import InputError
from . import vilt


@dataclass(frozen=True)
class Family:
    """What the rest of the package needs to know of a model family.

    Attributes:
        name: of the family, e.g. ``vilt``.
        model_types: transformers' ``config.model_type`` values it covers.
        sublayers: block adapters a block.
        adopt: switches a model's classes over to skippable ones, in place.
        blocks: names and modules of the skippable blocks, in model order.
        small_parts: parameter-name prefixes trained beside the adapters (poolers, token-type embeddings).
        base_prefix: prefix of the pre-trained body's parameters; what lies outside is the task head.
        lora_targets: names, inside a block, of the linear layers that get LoRA.
    """

    name: str
    model_types: tuple[str, ...]
    sublayers: int
    adopt: Callable[[nn.Module], None]
    blocks: Callable[[nn.Module], dict[str, SkippableBlock]]
    small_parts: tuple[str, ...]
    base_prefix: str
    lora_targets: tuple[str, ...]


FAMILIES = (
    Family(
        name="vilt",
        model_types=("vilt",),
        sublayers=2,
        adopt=vilt.adopt,
        blocks=vilt.blocks,
        small_parts=("vilt.pooler.", "vilt.embeddings.token_type_embeddings."),
        base_prefix="vilt.",
        lora_targets=("attention.attention.query", "attention.attention.value", "intermediate.dense", "output.dense"),
    ),
)


def family_of(model: nn.Module) -> Family:
    """The family of a transformers model.

    Raises:
        InputError: no family covers it; the message lists those that do exist.
    """
    model_type = getattr(getattr(model, "config", None), "model_type", None)
    for family in FAMILIES:
        if model_type in family.model_types:
            return family
    known = ", ".join(kind for family in FAMILIES for kind in family.model_types)
    raise InputError(
        f"{type(model).__name__} (model_type {model_type!r}) is not a supported family; supported: {known}"
    )
