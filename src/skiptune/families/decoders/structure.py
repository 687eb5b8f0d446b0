"""Find the layers of a decoder, by itself or behind an image tower, and make them skippable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from ...core.errors import InputError
from ...layers.blocks import SkippableBlock
from .kinds import DecoderClasses
from .layer import SkippableHalf

#: Half of a layer, as ``SkipConfig.parts`` and names of blocks have it → its name inside the layer.
HALVES = {"attention": "self_attn", "mlp": "mlp"}
#: Where a model has its decoder; the last is that of models which mark answers in texts (QuestionAnswering).
_INSIDE = ("language_model", "text_model", "model", "transformer")


def decoder_of(model: nn.Module) -> Any:
    """The module with the ``layers`` of a language model, inside any of transformers' models that has one.

    Raises:
        InputError: there is none where transformers' classes have it.
    """
    found: Any = model
    while not hasattr(found, "layers"):
        inner = next((name for name in _INSIDE if hasattr(found, name)), None)
        if inner is None:
            raise InputError(
                f"{type(model).__name__}: no layers of a language model in {', '.join(_INSIDE)}, where transformers' "
                "classes have them; insert into the model in it"
            )
        found = getattr(found, inner)
    return found


def blocks(model: nn.Module) -> dict[str, nn.Module]:
    """The layers by number, ``"0"`` …, or, where halves of them are skippable, those: ``"0.attention"``, ``"0.mlp"``
    …"""
    found: dict[str, nn.Module] = {}
    for number, layer in enumerate(decoder_of(model).layers):
        halves = {part: getattr(layer, name) for part, name in HALVES.items()} if hasattr(layer, "mlp") else {}
        skippable = {part: half for part, half in halves.items() if isinstance(half, SkippableHalf)}
        found |= {f"{number}.{part}": half for part, half in skippable.items()} or {str(number): layer}
    return found


def adopt_halves(model: nn.Module, parts: Sequence[str], classes: Sequence[DecoderClasses]) -> None:
    """Make halves of all layers skippable, in place.

    Args:
        model: with a decoder.
        parts: keys of :data:`HALVES`.
        classes: those that the model's layers may be of.

    Raises:
        InputError: a half is of a class that none of them inherits from.
    """
    kinds: Mapping[str, list[type[SkippableBlock]]] = {
        "attention": [one.attention for one in classes],
        "mlp": [one.mlp for one in classes],
    }
    for layer in decoder_of(model).layers:
        for part in parts:
            half = getattr(layer, HALVES[part])
            kind = next((kind for kind in kinds[part] if issubclass(kind, type(half))), None)
            if kind is None:
                raise InputError(f"parts: {part}: no skippable class inherits from {type(half).__name__}")
            kind.adopt(half)
