"""What can be skipped in a SigLIP model: the layers of both towers.

There is no fusion above them, so ``scope: fusion`` covers both, and there is nothing more for ``global``.
"""

from __future__ import annotations

from torch import nn
from transformers.models.siglip.modeling_siglip import SiglipEncoderLayer

from ..dual_encoder.layers import TowerLayer, towers


class SkippableSiglipTextLayer(TowerLayer, SiglipEncoderLayer):
    """A layer of the text tower."""


class SkippableSiglipImageLayer(TowerLayer, SiglipEncoderLayer):
    """A layer of the image tower."""


_KINDS = {"text": SkippableSiglipTextLayer, "image": SkippableSiglipImageLayer}


def adopt(model: nn.Module) -> None:
    """Make the layers of the model's towers skippable, in place."""
    for name, tower in towers(model).items():
        for layer in tower.encoder.layers:
            _KINDS[name].adopt(layer)
