"""The image tower below a decoder, and its layers as further blocks, ``image.0`` …"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from torch import nn
from transformers.models.clip.modeling_clip import CLIPEncoderLayer
from transformers.models.pixtral.modeling_pixtral import PixtralAttentionLayer
from transformers.models.siglip.modeling_siglip import SiglipEncoderLayer

from ...core.errors import InputError
from ...layers.blocks import SkippableBlock
from ..block_kind import BlockKind, Folding, encoder_kind

#: What a tower, what maps its outputs to the decoder's width, and what makes its first stream are called.
_TOWERS = ("vision_tower", "vision_model", "visual")
_PROJECTORS = ("multi_modal_projector", "connector")
_EMBEDDINGS = ("embeddings", "patch_embed", "patch_conv")


class SkippableClipTowerLayer(SkippableBlock, CLIPEncoderLayer):
    """A layer of a CLIP tower."""


class SkippableSiglipTowerLayer(SkippableBlock, SiglipEncoderLayer):
    """A layer of a SigLIP tower."""


class SkippablePixtralTowerLayer(SkippableBlock, PixtralAttentionLayer):
    """A layer of a Pixtral tower, of the patches of all images in one row, ``(1, patches, width)``."""


def tower_kind(layer: type[SkippableBlock], last: str | None = "mlp.fc2") -> BlockKind:
    """The entry of a tower's layers, which are skipped but never adapted, as wide as ``vision_config`` says.

    Args:
        layer: their class, after adoption.
        last: name of the last linear layer of the feed-forward network, whose output goes into the residual stream as
            it is; ``None``: it does not.
    """
    folding = None if last is None else Folding("output", place=last.rpartition(".")[0], layers=(last,))
    return replace(encoder_kind(layer, lambda config: config.vision_config), folding=folding)


#: For families that take towers of other models.
OF_ANY_TOWER = (
    tower_kind(SkippableClipTowerLayer),
    tower_kind(SkippableSiglipTowerLayer),
    tower_kind(SkippablePixtralTowerLayer, "feed_forward.down_proj"),
)


def tower_of(model: nn.Module) -> Any:
    """The image tower of a model, with or without the head that generates."""
    return _parts(model, _TOWERS)[0]


def tower_layers(model: nn.Module) -> Sequence[nn.Module]:
    """The layers of the image tower, in order; none of a tower that is built in another way."""
    tower = tower_of(model)
    encoder = getattr(tower, "encoder", getattr(tower, "transformer", None))
    places = ((tower, "blocks"), (encoder, "layers"), (encoder, "layer"))
    return next((list(getattr(owner, name)) for owner, name in places if hasattr(owner, name)), [])


def tower_blocks(model: nn.Module) -> dict[str, nn.Module]:
    """``image.0`` … where the tower's layers are skippable."""
    layers = enumerate(tower_layers(model))
    return {f"image.{number}": layer for number, layer in layers if isinstance(layer, SkippableBlock)}


def adopt_tower(model: nn.Module, kinds: Iterable[BlockKind]) -> None:
    """Make the layers of the image tower skippable, in place.

    Args:
        model: with a tower.
        kinds: those that its layers may be of.

    Raises:
        InputError: they are of none of them.
    """
    classes, layers = [kind.block_class for kind in kinds], tower_layers(model)
    fitting = {type(layer): next((one for one in classes if issubclass(one, type(layer))), None) for layer in layers}
    if not layers or None in fitting.values():
        raise InputError(f"scope: 'global': {type(tower_of(model)).__name__} has no layers that can be skipped")
    for layer in layers:
        kind = fitting[type(layer)]
        if kind is not None:
            kind.adopt(layer)


def below_decoder(model: nn.Module) -> list[nn.Module]:
    """What of images depends on no block: the tower and its projector, or its embeddings if its layers are blocks."""
    tower = tower_of(model)
    return _parts(tower, _EMBEDDINGS) if tower_blocks(model) else [tower, *_parts(model, _PROJECTORS)]


def body_of(model: nn.Module) -> Any:
    """The module with the tower and the decoder, inside a head or what PEFT has wrapped around one."""
    return _with_any(model, _TOWERS)


def _with_any(model: nn.Module, names: Sequence[str]) -> Any:
    """The model, or the first one inside of it that has one of these."""
    found: Any = model
    while not any(hasattr(found, name) for name in names) and hasattr(found, "model"):
        found = found.model
    return found


def _parts(model: nn.Module, names: Sequence[str]) -> list[Any]:
    found = _with_any(model, names)
    return [getattr(found, name) for name in names if hasattr(found, name)]
