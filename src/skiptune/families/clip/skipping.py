"""What can be skipped in a CLIP model: the layers of both towers.

There is no fusion above them, so ``scope: fusion`` covers both, and there is nothing more for ``global``.
"""

from __future__ import annotations

from torch import nn
from transformers.models.clip.modeling_clip import CLIPEncoderLayer

from ..dual_encoder.layers import TowerLayer, towers


class SkippableClipTextLayer(TowerLayer, CLIPEncoderLayer):
    """A layer of the text tower."""


class SkippableClipImageLayer(TowerLayer, CLIPEncoderLayer):
    """A layer of the image tower."""


_KINDS = {"text": SkippableClipTextLayer, "image": SkippableClipImageLayer}


def adopt(model: nn.Module) -> None:
    """Make the layers of the model's towers skippable, in place."""
    for name, tower in towers(model).items():
        for layer in tower.encoder.layers:
            _KINDS[name].adopt(layer)
