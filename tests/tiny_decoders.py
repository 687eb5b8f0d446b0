"""Tiny decoders with random weights, of every family that has a row."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from skiptune.models.construction import construction

WORDS = 64
_SIZES: dict[str, Any] = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
#: What the families' configurations need beyond their sizes.
_ALTERNATING = {"sliding_window": 4, "layer_types": ["sliding_attention", "full_attention"] * 2}
TEXT: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {"sliding_window": 4},
    "qwen2": {},
    "qwen3": {},
    "gemma": {},
    "gemma2": _ALTERNATING,
    "gemma3_text": _ALTERNATING,
}


def text_config(name: str) -> Any:
    """The configuration of a family's tiny language model."""
    return AutoConfig.for_model(name, **{**_SIZES, **TEXT[name]})


def text_decoder(name: str) -> PreTrainedModel:
    """A language model of a family, in evaluation mode; always the same weights."""
    with construction(seed=0):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(text_config(name)).eval()
    return roughened(model)


def roughened(model: PreTrainedModel) -> PreTrainedModel:
    """The model with noise on all parameters, in place: fresh ones are zero or one in part, and hide faults."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return model


@cache
def padded_text() -> dict[str, Tensor]:
    """Two texts of nine tokens, the first with three of padding on its left."""
    ids = torch.randint(3, WORDS, (2, 9), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[0, :3] = 0
    return {"input_ids": ids, "attention_mask": mask}
