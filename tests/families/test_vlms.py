"""Language models behind image towers: skipping layers of both, with and without a cache."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from skiptune import SkipConfig, insert
from skiptune.inserting.selection import choose
from tiny_decoders import VLM, generated, padded_pairs, some_sets, vlm

_LORA = SkipConfig(block_adapter="lora", lora_rank=2)


def one_of(inputs: dict[str, Tensor], number: int) -> dict[str, Tensor]:
    """One example without its padding."""
    patches = len(inputs["pixel_values"]) // 2  # of Qwen's images, in one row
    mask = inputs["attention_mask"][number].bool()
    taken = {}
    for name, value in inputs.items():
        each = patches if name == "pixel_values" else 1
        taken[name] = value[number * each : (number + 1) * each]
        if value.shape == inputs["input_ids"].shape and name != "pixel_values":
            taken[name] = taken[name][:, mask]
    return taken


@pytest.mark.parametrize("name", VLM)
def test_cached_generation_is_uncached(name: str) -> None:
    model, inputs = vlm(name), padded_pairs(name)
    whole = model(**inputs, output_hidden_states=True)
    insert(model, _LORA.replace(scope="global")).eval()
    found = model(**inputs, output_hidden_states=True)
    assert torch.equal(found.logits, whole.logits)
    assert all(torch.equal(one, other) for one, other in zip(found.hidden_states, whole.hidden_states, strict=True))
    for skipped in [*some_sets(list("0123")), ["0", "image.0", "image.2"]]:
        choose(model, skipped)
        cached, plain = (generated(model, inputs, each) for each in (True, False))
        assert torch.allclose(cached, plain, rtol=0, atol=2e-5), skipped
        single = generated(model, one_of(inputs, 0), cached=True)
        assert torch.allclose(cached[:, :1], single, rtol=0, atol=2e-5), skipped
    assert len(model(**inputs, output_hidden_states=True).hidden_states) == 5
