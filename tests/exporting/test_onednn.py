"""Prepared for inference: the same answers to rounding, in every family, and a loud refusal of what no longer works."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from skiptune import InputError, Plan, SkipConfig, blocks_of, insert, load_model, prepare_for_inference, prune
from skiptune.costs.example_inputs import example_inputs
from skiptune.exporting.onednn import PackedLinear, is_available
from skiptune.layers.adapters import BottleneckAdapter

pytestmark = pytest.mark.skipif(not is_available(), reason="this torch has no such operations")
MODELS = ("vilt-tiny", "meter-tiny", "bridgetower-tiny")


def make(name: str, adapters: str, skipped: int = 0, scope: str = "fusion") -> Any:
    """A slim model whose adapters and biases are not zero."""
    config = SkipConfig.from_dict({"block_adapter": adapters, "scope": scope})
    model = insert(load_model(name, "vqa", num_labels=7), config)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
    blocks = tuple(blocks_of(model))
    return prune(model, Plan(model.config.model_type, blocks, blocks[-skipped:] if skipped else ())).eval()


@pytest.mark.parametrize("adapters", ["bottleneck", "lora"])
@pytest.mark.parametrize("name", MODELS)
def test_outputs_are_the_same_to_rounding(name: str, adapters: str) -> None:
    for skipped in (0, 2):
        model = make(name, adapters, skipped, "fusion" if name == "vilt-tiny" else "global")
        inputs = example_inputs(model, (48, 48), 8, 2)
        inputs["attention_mask"][0, 5:] = 0
        with torch.inference_mode():
            before = model(**inputs).logits
            assert prepare_for_inference(model) is model
            after = model(**inputs).logits
        assert not torch.equal(after, torch.zeros_like(after))
        torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5 * float(before.abs().max()))
        assert not any(type(module) in (nn.Linear, BottleneckAdapter) for module in model.modules())


def test_activations_are_part_of_the_layers_before_them() -> None:
    model = prepare_for_inference(make("meter-tiny", "bottleneck"))
    layer = blocks_of(model)["text.0"]
    assert layer.intermediate.activation == "gelu"
    assert layer.block_adapters[0].down.activation == "relu"
    assert model.meter.clip.encoder.layers[0].mlp.fc1.activation == "swish"
    assert model.meter.roberta.encoder.layer[0].intermediate.dense.activation == "gelu"
    assert sum(isinstance(module, nn.Identity) for module in model.modules()) == 6 + 2 + 2


def test_models_of_one_base_share_packed_weights() -> None:
    model = make("vilt-tiny", "bottleneck")
    other = make("vilt-tiny", "bottleneck")
    for own, its in zip(other.modules(), model.modules(), strict=True):
        if isinstance(own, nn.Linear):
            own.weight = its.weight
    packed: dict[int, Any] = {}
    prepare_for_inference(model, packed)
    count = len(packed)
    prepare_for_inference(other, packed)
    assert len(packed) == count
    layers = [module for module in model.modules() if isinstance(module, PackedLinear)]
    assert count == len(layers)


def test_what_no_longer_works_is_refused() -> None:
    model = prepare_for_inference(make("vilt-tiny", "bottleneck"))
    with pytest.raises(InputError, match="cannot be saved"):
        model.state_dict()
    with pytest.raises(InputError, match=r"cannot become torch\.bfloat16"):
        model.to(torch.bfloat16)
    model.to("cpu")


def test_other_types_stay_as_they_are() -> None:
    model = prepare_for_inference(make("vilt-tiny", "lora").to(torch.bfloat16))
    assert not any(isinstance(module, PackedLinear) for module in model.modules())
    assert not any(isinstance(module, nn.Identity) for module in model.modules())
