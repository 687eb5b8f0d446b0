"""The layers of both towers as skippable blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...layers.blocks import SkippableBlock
from ..block_kind import BlockKind, Folding


class TowerLayer(SkippableBlock):
    """A layer of a tower with two parallel adapters, or skipped: ``x + A_skip(x)``. Transformers' own class, of CLIP or
    SigLIP, comes after it.

    Kept: ``x = x + Attn(norm1(x)) + A0(x)``, then ``x = x + MLP(norm2(x)) + A1(x)``; the adapters read the residual
    stream before its LayerNorm.
    """

    mask_position = 1
    takes_parallel = True
    # transformers' own children, which it does not annotate
    self_attn: Any
    mlp: Any
    layer_norm1: nn.LayerNorm
    layer_norm2: nn.LayerNorm

    def forward(self, hidden_states: Tensor, attention_mask: Tensor | None = None, **kwargs: Any) -> Tensor:
        """Map ``(batch, tokens, width)`` to the same shape; further arguments as transformers' class has them.

        Raises:
            InputError: ``output_attentions`` with a skipped layer, which attends to nothing.
        """
        if self.skipped:
            skipped: Tensor = super().forward(hidden_states, **kwargs)
            return skipped
        normed = self.layer_norm1(hidden_states)
        attended, _ = self.self_attn(hidden_states=normed, attention_mask=attention_mask, **kwargs)
        hidden_states = self.adapt(hidden_states, attended, 0)
        normed = self.layer_norm2(hidden_states)
        return self.adapt(hidden_states, self.beside(self.mlp(normed), normed), 1)

    def own_mask(self, given: tuple[Any, ...], named: Mapping[str, Any]) -> Tensor | None:
        """As the base class has it, from the last row of a causal mask, which hides padding and nothing else."""
        if len(given) <= 1 or given[1] is None:
            return None
        mask: Tensor = given[1][:, 0, -1]
        return mask if mask.dtype == torch.bool else mask == 0


def tower_kind(block_class: type[SkippableBlock], config_of: Callable[[Any], Any]) -> BlockKind:
    """The layers of one tower.

    Args:
        block_class: the class, after adoption.
        config_of: the tower's configuration, from the model's.
    """
    return BlockKind(
        block_class=block_class,
        width=lambda config: int(config_of(config).hidden_size),
        sublayers=2,
        skip_factor=2,
        lora_targets=("self_attn.q_proj", "self_attn.v_proj", "mlp.fc1", "mlp.fc2"),
        scaled_targets=("self_attn.k_proj", "self_attn.v_proj"),
        narrowing="mlp.fc2",
        folding=Folding("output", place="mlp", layers=("mlp.fc2",)),
    )


def towers(model: nn.Module) -> dict[str, Any]:
    """The towers that a model has, ``text`` and ``image``."""
    found = {"text": getattr(model, "text_model", None), "image": getattr(model, "vision_model", None)}
    return {name: tower for name, tower in found.items() if tower is not None}


def blocks(model: nn.Module) -> dict[str, nn.Module]:
    """``text.0`` …, then ``image.0`` …; a model of one tower has its layers only."""
    return {
        f"{name}.{number}": layer
        for name, tower in towers(model).items()
        for number, layer in enumerate(tower.encoder.layers)
    }


def below(model: nn.Module) -> list[nn.Module]:
    """The embeddings of both towers."""
    return [tower.embeddings for tower in towers(model).values()]
