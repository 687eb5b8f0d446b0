"""The two passes of a model that generates text: its prompt at once, and then one token at a time."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from ..core.errors import InputError
from ..families.decoders.cache import cache_argument


def generates(model: nn.Module) -> bool:
    """Whether a model writes text, one token after the other, with a cache of what came before."""
    found = getattr(model, "can_generate", None)
    return found is not None and bool(found()) and cache_argument(model) is not None


def check_decode_steps(model: nn.Module, count: int | None) -> None:
    """Refuse steps of a model that makes none.

    Raises:
        InputError: the model generates no text.
    """
    if count and not generates(model):
        raise InputError(f"decode_steps: {count}: {type(model).__name__} generates no text; leave it out")


class Prefill(nn.Module):
    """The pass over a prompt with which ``generate`` begins: it fills a cache, and gives the logits of the last
    position.

    Attributes:
        cache: of the last pass; ``None`` before the first.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.cache: Any = None

    def forward(self, **inputs: Tensor) -> Any:
        """The model's output for its inputs, each ``(batch, …)``; labels among them are left out."""
        self.cache = DynamicCache(config=self.model.config)
        return cached_pass(self.model, {name: value for name, value in inputs.items() if name != "labels"}, self.cache)


class DecodeStep(nn.Module):
    """The pass over one more token of every example, with the cache of the last :class:`Prefill`, which grows by it."""

    def __init__(self, prefill: Prefill) -> None:
        super().__init__()
        self.prefill = prefill

    def forward(self, **inputs: Tensor) -> Any:
        """The model's output for one token, any will do, of each text in ``inputs``, those of the prefill."""
        texts = inputs["input_ids"] if "input_ids" in inputs else inputs["inputs_embeds"]
        token = torch.zeros((len(texts), 1), dtype=torch.long, device=texts.device)
        return cached_pass(self.prefill.model, {"input_ids": token}, self.prefill.cache)


def cached_pass(model: nn.Module, inputs: Mapping[str, Tensor], cache: Any) -> Any:
    """A forward pass with a cache, and logits of the last position alone where the model can leave the others out."""
    known = _arguments(model)
    named = {str(cache_argument(model)): cache}
    last = {"logits_to_keep": 1} if "logits_to_keep" in known else {}
    return model(**inputs, **named, **last, use_cache=True)


def _arguments(model: nn.Module) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(model.forward).parameters


def numbers_held(cache: Any) -> int:
    """Keys and values in a filled cache, of all examples."""
    return sum(layer.keys.numel() + layer.values.numel() for layer in cache.layers)


def numbers_per_token(cache: Any) -> tuple[int, ...]:
    """Keys and values that each layer's entry in a filled cache has for one more token of one example."""
    return tuple(
        keys.shape[1] * keys.shape[-1] + values.shape[1] * values.shape[-1]
        for keys, values in ((layer.keys, layer.values) for layer in cache.layers)
    )
