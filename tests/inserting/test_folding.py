"""Linear skip adapters: where they are applied, and that kept blocks' weights take them up exactly."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from conftest import MakeModel
from skiptune import (
    InputError,
    Plan,
    SkipConfig,
    blocks_of,
    choose,
    fit_skip_adapters_on,
    insert,
    load_model,
    parameter_groups,
    prune,
)
from skiptune.inserting.folding import fold_linear, neighbour_of
from skiptune.inserting.usual_adapters import with_skip_adapter
from skiptune.layers.folded import ApplyFolded
from skiptune.searching.prefix_sharing import evaluate_each
from skiptune.training.gradient_checkpointing import checkpointed_gradients
from tiny_decoders import TEXT, VLM, padded_pairs, padded_text, text_decoder, vlm

FOLDED = SkipConfig(block_adapter="lora", lora_rank=2, skip_adapter="folded", skip_width=3, init="paper")
#: A run in the middle; both ends and a run.
SETS = (["1", "2"], ["0", "2", "3"])


def stirred(model: Any, width: float = 0.3) -> Any:
    """The model with noise on all trained parameters, in place."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += width * torch.randn(parameter.shape, generator=generator)
    return model.eval()


def logits(model: Any, batch: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(**batch).logits
    return found


def check_folded(model: Any, batch: dict[str, Tensor], sets: Any) -> None:
    """The slim model of each set is the adapted one to rounding, with the base's parameters less the blocks."""
    for skipped in sets:
        choose(model, skipped)
        wanted, own = logits(model, batch), {name: p.numel() for name, p in model.named_parameters()}
        plan = Plan(model.config.model_type, tuple(blocks_of(model)), tuple(skipped))
        slim = prune(copy.deepcopy(model), plan)
        assert (logits(slim, batch) - wanted).norm() <= 1e-5 * wanted.norm(), skipped
        assert {name for name, _ in slim.named_parameters()} <= {name.replace(".base_layer", "") for name in own}
        assert not any("skip_adapter" in name or "lora" in name for name, _ in slim.named_parameters())
        hooks = [hook for module in slim.modules() for hook in module._forward_hooks.values()]
        assert not any(isinstance(hook, ApplyFolded) for hook in hooks)
        assert torch.equal(logits(model, batch), wanted)


@pytest.mark.parametrize("name", TEXT)
def test_decoders_take_adapters_up(name: str) -> None:
    model = stirred(insert(text_decoder(name), FOLDED))
    check_folded(model, padded_text(), SETS)
    choose(model, ["1", "2"])
    wanted = logits(model, padded_text())
    choose(model, ["1"])  # the adapters do something, and which of them depends on the choice
    assert (logits(model, padded_text()) - wanted).norm() > 1e-2 * wanted.norm()
    assert torch.equal(logits(pickle.loads(pickle.dumps(model)), padded_text()), logits(model, padded_text()))
    choose(model, [])
    assert all(not block.folded for block in blocks_of(model).values())


@pytest.mark.parametrize("name", VLM)
def test_vision_language_models_take_adapters_up(name: str) -> None:
    model = stirred(insert(vlm(name), FOLDED.replace(scope="global")), 0.2)
    batch = padded_pairs(name)
    check_folded(model, batch, [["1", "image.1"]])
    choose(model, ["1", "image.1"])
    wanted = logits(model, batch)
    for adapter in (blocks_of(model)[name].skip_adapter for name in ("1", "image.1")):
        torch.nn.init.zeros_(adapter.up.weight)  # type: ignore[union-attr]
        assert not torch.equal(logits(model, batch), wanted)
        wanted = logits(model, batch)


def test_encoders_take_adapters_up(make_model: MakeModel, batch: Any) -> None:
    check_folded(make_model(FOLDED.replace(block_adapter="bottleneck"), noise=0.1), batch, [["1", "2"]])


@pytest.mark.parametrize("name", ["clip-tiny", "siglip-tiny"])
def test_towers_do_not_share_adapters(name: str) -> None:
    model = load_model(name, "vqa", num_labels=3)
    insert(model, FOLDED)
    assert neighbour_of(model, "image.0") is None
    assert neighbour_of(model, "image.1") is blocks_of(model)["image.0"]


def test_ends_without_a_neighbour_pass_the_stream_through() -> None:
    for name, end in (("llama", "0"), ("gemma2", "3")):
        model = stirred(insert(text_decoder(name), FOLDED))
        plain = insert(text_decoder(name), FOLDED.replace(skip_adapter="none"))
        plain.load_state_dict({name: value for name, value in model.state_dict().items() if "skip_ad" not in name})
        for one in (model, plain):
            choose(one, [end])
        assert torch.equal(logits(model, padded_text()), logits(plain.eval(), padded_text()))


@pytest.mark.parametrize("name", ["llama", "gemma3_text"])
def test_shared_beginnings_give_the_same_outputs(name: str) -> None:
    model = stirred(insert(text_decoder(name), FOLDED))
    sets = [["1"], ["1", "2"], ["2"], [], ["0", "2"], ["2", "3"], ["1", "3"]]

    def run() -> Tensor:
        return model(**padded_text(), use_cache=False).logits  # type: ignore[no-any-return]

    found = dict(evaluate_each(model, sets, run))
    for number, skipped in enumerate(sets):
        choose(model, skipped)
        with torch.no_grad():
            assert torch.equal(found[number], run())


def test_gradients_reach_the_adapters_of_skipped_blocks() -> None:
    gradients = []
    for checkpointing in (False, True):
        model = stirred(insert(text_decoder("llama"), FOLDED)).train()
        choose(model, ["1", "2"])
        with checkpointed_gradients(model, checkpointing):
            model(**padded_text(), labels=padded_text()["input_ids"], use_cache=False).loss.backward()
        own = parameter_groups(model)["skip_adapters"]
        gradients.append({name: one.grad for name, one in own.items() if one.grad is not None})
    assert {name.split(".")[2] for name in gradients[0]} == {"1", "2"}
    for name, gradient in gradients[0].items():
        assert torch.allclose(gradient, gradients[1][name], rtol=1e-5, atol=1e-7)


def test_a_full_map_folds_too() -> None:
    model = insert(text_decoder("qwen2"), SkipConfig(block_adapter="none")).eval()
    mapped = copy.deepcopy(model)
    matrix = torch.randn(32, 32, generator=torch.Generator().manual_seed(0))
    blocks_of(mapped)["1"].mlp.register_forward_hook(lambda module, given, output: output @ matrix.T)
    fold_linear(model, "1", matrix)
    wanted = logits(mapped, padded_text())
    assert (logits(model, padded_text()) - wanted).norm() <= 1e-5 * wanted.norm()
    with pytest.raises(InputError, match="block '7': unknown"):
        fold_linear(model, "7", matrix)


def test_refusals() -> None:
    for name in ("meter-tiny", "bridgetower-tiny"):
        with pytest.raises(InputError, match=r"no linear layers of .* could take the adapter up exactly"):
            insert(load_model(name, "vqa", num_labels=3), FOLDED)
    with pytest.raises(InputError, match="stands for whole layers; with parts, use 'none' or 'bottleneck'"):
        insert(text_decoder("llama"), FOLDED.replace(parts=("mlp",)))


def test_quantised_weights_are_refused() -> None:
    model = text_decoder("llama")
    layer: Any = model.get_submodule("model.layers.1.mlp.down_proj")
    layer.weight = torch.nn.Parameter(layer.weight.detach().to(torch.int8), requires_grad=False)
    with pytest.raises(InputError, match="the weights are quantised"):
        insert(model, SkipConfig(block_adapter="none", skip_adapter="folded"))


def test_what_stands_in_a_skipped_block(make_model: MakeModel) -> None:
    """What a configuration leaves open is decided by the model; what it says stays."""
    usual = {
        ("lora", "vilt-tiny"): "folded",
        ("lora", "meter-tiny"): "bottleneck",
        ("bottleneck", "vilt-tiny"): "bottleneck",
        ("none", "vilt-tiny"): "none",
    }
    for (beside, name), wanted in usual.items():
        config = SkipConfig(block_adapter=beside)
        assert with_skip_adapter(config, load_model(name, "vqa")) == config.replace(skip_adapter=wanted)
    halves = SkipConfig(block_adapter="lora", parts=("mlp",))
    assert with_skip_adapter(halves, text_decoder("llama")).skip_adapter == "bottleneck"
    quantised = text_decoder("llama")
    quantised.lm_head.weight = nn.Parameter(torch.zeros(64, 32, dtype=torch.int8), requires_grad=False)
    assert with_skip_adapter(SkipConfig(block_adapter="lora"), quantised).skip_adapter == "bottleneck"
    with pytest.raises(InputError, match="init: 'fit' fits skip adapters, and skip_adapter is 'none'"):
        SkipConfig(skip_adapter="none", init="fit")
    for kind, wanted in (("none", False), ("bottleneck", True)):
        model = make_model(SkipConfig(block_adapter="lora", skip_adapter=kind))
        assert bool(parameter_groups(model)["skip_adapters"]) is wanted


@pytest.mark.parametrize("name", ["llama", "gemma2"])
def test_a_fit_is_numpys_regression(name: str) -> None:
    """Of what the block changes on what its neighbour maps, through zero, padding left out."""
    model = insert(text_decoder(name), FOLDED.replace(init="fit", skip_width=32)).eval()
    seen: dict[str, np.ndarray] = {}

    def keep(what: str) -> Any:
        def hook(module: Any, given: Any, output: Tensor) -> None:
            seen[what] = output.detach().numpy()[padded_text()["attention_mask"].bool().numpy()].astype(float)

        return hook

    blocks = blocks_of(model)
    for what, module in (("before", blocks["0"]), ("mlp", blocks["0"].mlp), ("after", blocks["1"])):
        module.register_forward_hook(keep(what))
    model(**padded_text(), use_cache=False)
    errors = fit_skip_adapters_on(model, [padded_text()])
    if name == "llama":
        u, r = seen["mlp"], seen["after"] - seen["before"]
    else:
        norm = blocks["2"].input_layernorm
        u, after = (norm(torch.tensor(seen[what]).float()).detach().double().numpy() for what in ("before", "after"))
        r = after - u
    ridge = 1e-3 * (u**2).mean() * len(u)
    wanted = u @ np.linalg.solve(u.T @ u + ridge * np.eye(32), u.T @ r)
    adapter: Any = blocks["1"].skip_adapter
    found = adapter(torch.tensor(u).float()).detach().numpy()
    assert np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max()
    assert errors["1"] == pytest.approx(np.linalg.norm(r - wanted) / np.linalg.norm(r), rel=1e-4)
    assert errors["0" if name == "llama" else "3"] == 1.0  # no neighbour
