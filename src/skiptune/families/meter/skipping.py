"""What can be skipped in a METER model: the fusion layers and, for a global search, the layers of both encoders."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers.models.clip.modeling_clip import CLIPEncoderLayer
from transformers.models.roberta.modeling_roberta import RobertaLayer

from ...layers.adapters import Prompts
from ...layers.blocks import SkippableBlock
from ...layers.token_reduction import Reader
from ..family import Encoder
from .modeling import PromptedMeterModel, meter_of


class SkippableRobertaLayer(SkippableBlock, RobertaLayer):
    """RoBERTa's own layer, or skipped: ``x + A_skip(x)``. It has no block adapters."""

    mask_position = 1


class SkippableClipLayer(SkippableBlock, CLIPEncoderLayer):
    """CLIP's own block, or skipped: ``x + A_skip(x)``. It has no block adapters."""

    # transformers' own children, which it does not annotate
    self_attn: Any
    layer_norm1: nn.LayerNorm

    def reader(self) -> Reader:
        attention = self.self_attn
        return Reader(self.layer_norm1, attention.q_proj, attention.k_proj, attention.head_dim)


def adopt(model: nn.Module) -> None:
    """Nothing to do: the fusion layers are skippable as they are."""


def adopt_encoders(model: nn.Module) -> None:
    """Make the layers of both encoders skippable too, in place."""
    meter = meter_of(model)
    for layer in meter.roberta.encoder.layer:
        SkippableRobertaLayer.adopt(layer)
    for layer in meter.clip.encoder.layers:
        SkippableClipLayer.adopt(layer)


def add_prompts(model: nn.Module, length: int) -> None:
    """Insert ``length`` learnt tokens before the first fusion layer of each stream, in place; they go through all of
    them."""
    meter = meter_of(model)
    meter.__class__ = PromptedMeterModel
    meter.text_prompts, meter.image_prompts = (Prompts(meter.config.hidden_size, length) for _ in range(2))


def blocks(model: nn.Module) -> dict[str, SkippableBlock]:
    """``text.0`` … ``image.0`` …, the released code's order; then ``roberta.0`` … ``clip.0`` … where adopted."""
    meter = meter_of(model)
    stacks: dict[str, nn.ModuleList] = {
        "text": meter.text_layers,
        "image": meter.image_layers,
        "roberta": meter.roberta.encoder.layer,
        "clip": meter.clip.encoder.layers,
    }
    return {
        f"{stack}.{number}": layer
        for stack, layers in stacks.items()
        for number, layer in enumerate(layers)
        if isinstance(layer, SkippableBlock)
    }


def reducible(model: nn.Module) -> tuple[str, ...]:
    """CLIP's blocks where adopted, then the fusion layers of the image; none with prompts, which come last there."""
    if isinstance(meter_of(model), PromptedMeterModel):
        return ()
    found = tuple(blocks(model))
    return tuple(name for stack in ("clip", "image") for name in found if name.startswith(f"{stack}."))


def encoders(model: nn.Module) -> list[Encoder]:
    """Both of them."""
    meter = meter_of(model)
    return [Encoder(meter, "encode_text", meter.roberta), Encoder(meter, "encode_image", meter.clip)]


def below(model: nn.Module) -> list[nn.Module]:
    """Both encoders; only their embeddings, if their layers can be skipped."""
    meter = meter_of(model)
    roberta: nn.Module = meter.roberta
    clip: nn.Module = meter.clip
    if isinstance(meter.roberta.encoder.layer[0], SkippableBlock):
        roberta, clip = meter.roberta.embeddings, meter.clip.embeddings
    return [roberta, clip]
