"""What the tests on a GPU share: tiny models of the families with a batch, and a mark that skips without one."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

import skiptune as st
from skiptune.costs.example_inputs import example_inputs
from skiptune.inserting.selection import token_places
from tiny_decoders import padded_pairs, padded_text, roughened, text_decoder, vlm

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
DEVICE = "cuda"
#: Families, and their batch's image size.
FAMILIES = {"vilt": (96, 128), "meter": (48, 48), "bridgetower": (48, 48), "llava": None, "llama": None}
Batch = Mapping[str, Tensor]


def adapted(name: str) -> Any:
    """A tiny model with LoRA in every block, in evaluation mode on the CPU."""
    if FAMILIES[name] is None:
        model: Any = vlm(name) if name == "llava" else text_decoder(name)
    else:
        model = roughened(st.load_model(f"{name}-tiny", "vqa", quiet=True, num_labels=5))
    scope = "global" if name in ("meter", "bridgetower") else "fusion"
    return st.insert(model, st.SkipConfig.from_dict({"block_adapter": "lora", "scope": scope})).eval()


def batch_for(name: str, model: Any) -> Batch:
    """Two examples, those of decoders with padding."""
    size = FAMILIES[name]
    if size is None:
        return padded_pairs(name) if name == "llava" else padded_text()
    return example_inputs(model, size, 7, 2)


def fewer_tokens(model: Any) -> st.TokenSchedule | None:
    """Half of the image tokens from the second place on, a quarter from the last; ``None``: the model has no images."""
    places = token_places(model)
    return st.TokenSchedule(keep={places[1]: 0.5, places[-1]: 0.25}) if places and has_images(model) else None


def has_images(model: Any) -> bool:
    return hasattr(model.config, "vision_config") or model.config.model_type == "vilt"


def there(given: Batch) -> Batch:
    """The batch on the GPU."""
    return {name: value.to(DEVICE) for name, value in given.items()}


def copied(model: Any) -> Any:
    """The model on the GPU, beside that on the CPU."""
    return copy.deepcopy(model).to(DEVICE)


@torch.no_grad()
def logits(model: Any, given: Batch) -> Tensor:
    """Where the batch has tokens."""
    found: Tensor = model(**given).logits
    return found if found.ndim == 2 else found[given["attention_mask"].bool()]
