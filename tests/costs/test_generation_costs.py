"""Costs of models that generate text: prefill, decode step and cache, by block and of models with those really gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

from command_line import skiptune
from skiptune import Budget, InputError, Plan, SkipConfig, cost_table, count_macs, insert, load_model, prune
from skiptune.costs import latency as latency_module
from skiptune.costs.cost_table import CostTable
from skiptune.costs.example_inputs import example_inputs
from skiptune.costs.generation import DecodeStep, Prefill
from skiptune.costs.latency import time_blocks
from skiptune.costs.macs import count_blocks
from skiptune.inserting.selection import blocks_of
from skiptune.models.without_weights import parameters_on_meta
from skiptune.searching.budget import feasible_sets_of
from tiny_decoders import text_config, text_decoder, vlm, vlm_config

SIZE, LENGTH = (16, 16), 9


@pytest.fixture(scope="module")
def llava() -> dict[str, Any]:
    """What ``skiptune cost`` prints of LLaVA-1.5-7B, with skip adapters of rank 128."""
    adapters = ("--adapters", "none", "--skip-adapter", "bottleneck", "--skip-width", "128")
    blocks = ("--skip", ",".join(map(str, range(8))))
    done = skiptune("cost", "llava-1.5-7b", *blocks, *adapters, "--decode-steps", "16", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_figures_of_llava(llava: dict[str, Any]) -> None:
    found = llava["generation"]
    prefill, step = found["prefill"], found["decode_step"]
    assert found["prompt_length"] == 576 + 64
    expected = {"tower": 190.96, "projector": 12.08, "decoder": 4252.0, "head": 4096 * 32_064 / 1e9}
    assert prefill["parts_g"] == pytest.approx(expected, rel=1e-4)
    assert prefill["macs_g"]["original"] == pytest.approx(sum(expected.values()), rel=1e-4)
    assert step["parts_g"] == pytest.approx({**expected, "tower": 0, "projector": 0, "decoder": 6.644}, rel=1e-4)
    adapter = 2 * 4096 * 128 / 1e9
    assert prefill["saved_macs_g"]["0"] + 640 * adapter == pytest.approx(132.9, rel=1e-3)
    assert step["saved_macs_g"]["31"] + adapter == pytest.approx(0.2076, rel=1e-3)
    for each in (prefill, step):
        assert each["decoder_relative_macs"] == pytest.approx(-0.249, abs=5e-4)
        assert 16 * each["saved_macs_g"]["0"] / each["parts_g"]["decoder"] == pytest.approx(0.498, abs=1e-3)
    for name, value in llava["macs_g"].items():
        assert value == pytest.approx(prefill["macs_g"][name] + 16 * step["macs_g"][name])
    assert llava["parameters"]["original"] == 7_063_427_072


def test_the_cache_of_llava(llava: dict[str, Any]) -> None:
    found = llava["generation"]["cache_bytes_per_token"]
    layer = 2 * 4096 * 2
    assert found["bfloat16"] == {"original": 32 * layer, "slim": 24 * layer + 8 * 4, "plain": 24 * layer}
    assert found["float32"]["plain"] == 2 * found["float16"]["plain"]


def counted(model: Any, inputs: Any) -> tuple[float, float]:
    """Operations of a model's own prefill and first step, in G."""
    prefill = Prefill(model.eval())
    return count_macs(prefill, inputs), count_macs(DecodeStep(prefill), inputs)


@pytest.mark.parametrize(
    ("model", "config"),
    [
        (text_decoder("gemma3_text"), {}),
        (text_decoder("llama"), {"parts": ("attention", "mlp"), "block_adapter": "none"}),
        (vlm("llava"), {"scope": "global"}),
        (text_decoder("llama"), {"skip_adapter": "folded"}),
        (text_decoder("qwen2"), {"block_adapter": "bottleneck", "placement": "llava"}),
    ],
    ids=["layers", "halves", "tower too", "folded", "placed"],
)
def test_costs_are_those_of_the_pruned_model(model: Any, config: dict[str, Any]) -> None:
    config = SkipConfig.from_dict({"block_adapter": "lora", "skip_width": 5, **config})
    inputs = example_inputs(model, SIZE, LENGTH)
    adapted = insert(type(model)(model.config), config)
    names = tuple(blocks_of(adapted))
    skipped = (names[0], names[2], names[-1])
    table = cost_table(model, config, skipped, SIZE, LENGTH, decode_steps=3)
    found = table.generation
    assert found is not None
    slim = prune(adapted, Plan(model.config.model_type, names, skipped))
    for number, each in enumerate((found.prefill, found.decode_step)):
        assert counted(model, inputs)[number] == pytest.approx(each.macs_g["original"])
        assert counted(slim, inputs)[number] == pytest.approx(each.macs_g["with_plan"])
        assert sum(each.parts_with_plan_g.values()) == pytest.approx(each.macs_g["with_plan"])
    prefill = Prefill(slim)
    prefill(**inputs)
    layers = prefill.cache.layers
    numbers = [layer.keys[0, :, -1].numel() + layer.values[0, :, -1].numel() for layer in layers]
    plain = None if config.parts else 4 * sum(number for number in numbers if number > 2)
    assert found.cache_bytes_per_token["float32"] == {"original": 512, "slim": 4 * sum(numbers), "plain": plain}


@pytest.mark.parametrize(
    ("maker", "model_config"),
    [
        (AutoModelForCausalLM, text_config("gemma2")),
        (AutoModelForImageTextToText, vlm_config("llava_next")),
    ],
    ids=["tied", "image patches"],
)
def test_no_weights_are_needed(maker: Any, model_config: Any) -> None:
    def table(model: Any) -> CostTable:
        return cost_table(model, SkipConfig(block_adapter="lora"), ("1",), SIZE, LENGTH)

    real = maker.from_config(model_config)
    with parameters_on_meta():
        bare = maker.from_config(model_config)
    assert all(parameter.is_meta for parameter in bare.parameters())
    assert table(bare) == table(real)


def test_timing_with_operations_for_a_clock_is_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    model = insert(text_decoder("gemma2"), SkipConfig(block_adapter="lora"))
    inputs = example_inputs(model, SIZE, LENGTH)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        monkeypatch.setattr(latency_module, "_clock", counter.get_total_flops)
        timed = time_blocks(model, inputs, repeats=2, warmup=0, decode_steps=4)
    found, counts = timed.in_unit(2e9), count_blocks(model, inputs, 4)
    assert (found.original, found.adapted) == pytest.approx((counts.original, counts.adapted))
    assert found.savings == pytest.approx(counts.savings)


def test_budgets_count_decode_steps() -> None:
    model = insert(text_decoder("llama"), SkipConfig(block_adapter="none"))
    inputs = example_inputs(model, SIZE, LENGTH)
    labels = {"labels": inputs["input_ids"]}
    embedded = {"inputs_embeds": model.get_input_embeddings()(inputs["input_ids"])}  # type: ignore[operator]
    for steps, given in ((0, {**inputs, **labels}), (5, {**embedded, **labels})):
        feasible = feasible_sets_of(model, Budget(macs=-0.3, decode_steps=steps), lambda given=given: given)
        costs = count_blocks(model, inputs, steps)
        assert feasible.savings == tuple(costs.savings.values())
        assert feasible.target == pytest.approx(0.3 * costs.original)
    assert (Budget(macs=-0.3).steps, Budget(latency=-0.3).steps) == (0, 16)
    with pytest.raises(InputError, match="decode_steps: 2: a number of blocks has no costs"):
        Budget(num_skip=1, decode_steps=2)


def test_models_without_text_have_no_steps() -> None:
    model = load_model("vilt-tiny", "vqa")
    with pytest.raises(InputError, match="decode_steps: 2: ViltForQuestionAnswering generates no text"):
        cost_table(model, SkipConfig(), (), (48, 48), 9, decode_steps=2)
    with pytest.raises(InputError, match="decode_steps: 1: ViltForQuestionAnswering generates no text"):
        feasible_sets_of(insert(model), Budget(macs=-0.3, decode_steps=1), dict)


def test_a_configuration_is_enough(tmp_path: Path) -> None:
    vlm_config("smolvlm").save_pretrained(tmp_path)
    done = skiptune("cost", str(tmp_path), "--skip", "0,image.1", "--scope", "global", "--decode-steps", "2")
    assert done.returncode == 0, done.stderr
    for said in ("prefill of ", "decode step, ", "prefill and 2 decode steps", "tower", "bytes a token"):
        assert said in done.stdout
    text_config("llama").save_pretrained(tmp_path / "text")
    for refused, told in {
        ("--image-size", "48x48"): "reads no images",
        ("--labels", "9"): "no question answering head",
    }.items():
        done = skiptune("cost", str(tmp_path / "text"), *refused)
        assert done.returncode == 2
        assert told in done.stderr
    done = skiptune("cost", str(tmp_path), "--parts", "attention,wings")
    assert done.returncode == 2
    assert "'wings'" in done.stderr
