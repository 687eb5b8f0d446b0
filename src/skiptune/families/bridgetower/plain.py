"""Which blocks transformers' own BridgeTower can lack."""

from __future__ import annotations

from collections.abc import Collection

from torch import nn

from .modeling import bridgetower_of


def not_plain(model: nn.Module, skipped: Collection[str]) -> str:
    """Why a checkpoint of transformers' own class cannot lack the blocks ``skipped``; empty: it can.

    Every fusion layer joins the streams of one layer of either encoder with those of the fusion layer before it, so it
    cannot go without its bridge, nor can the encoders' layers that it reads. Below them, both encoders lose as many.
    """
    bridgetower = bridgetower_of(model)
    below = 1 + len(bridgetower.text_model.encoder.layer) - int(bridgetower.config.num_hidden_layers)
    free = {stack: {f"{stack}.{number}" for number in range(below)} for stack in ("roberta", "clip")}
    fixed = [name for name in skipped if name not in free["roberta"] | free["clip"]]
    if fixed:
        return (
            f"{', '.join(fixed)}: fusion layers are joined with layers of the encoders by position; layers 0 to "
            f"{below - 1} of roberta and clip can go (scope: global), as many of both"
        )
    text, image = (sum(name in free[stack] for name in skipped) for stack in ("roberta", "clip"))
    if text != image:
        return f"{text} layers of roberta are skipped and {image} of clip; skip as many of both"
    return ""
