"""What each block costs, two ways: the sum over blocks, and the count of the model with those blocks really gone."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import PreTrainedModel

from skiptune import InputError, Plan, SkipConfig, count_macs, insert, load_model, prune
from skiptune.costs import latency as latency_module
from skiptune.costs.cost_table import cost_table
from skiptune.costs.example_inputs import example_inputs
from skiptune.costs.latency import time_blocks
from skiptune.costs.macs import block_savings, count_blocks
from skiptune.costs.shapes_only import ShapesOnly
from skiptune.families.registry import family_of
from skiptune.inserting.pruning import remove_dead_blocks
from skiptune.inserting.selection import blocks_of
from skiptune.models.shared_copy import shared_copy

SIZE, LENGTH = (48, 64), 9
CASES = [
    (family, scope, adapters)
    for family in ("vilt", "meter", "bridgetower")
    for scope in ("fusion", "global")
    for adapters in ("bottleneck", "lora", "none")
    if (family, scope) != ("vilt", "global")
]


def adapted(family: str, task: str = "vqa", **config: Any) -> PreTrainedModel:
    pair = {} if task != "reasoning" else family_of(load_model(f"{family}-tiny", "vqa")).pair_config
    model = load_model(f"{family}-tiny", task, **pair)
    insert(model, SkipConfig.from_dict(config))
    return model.eval()


def plans(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [(), names[:1], names[1::2], names[:-1], names[1:]]


@pytest.mark.parametrize(("family", "scope", "adapters"), CASES)
def test_sum_over_blocks_is_the_count_of_the_pruned_model(family: str, scope: str, adapters: str) -> None:
    model = adapted(family, scope=scope, block_adapter=adapters, skip_width=5)
    inputs = example_inputs(model, SIZE, LENGTH)
    costs, names = count_blocks(model, inputs), tuple(blocks_of(model))
    assert tuple(costs.savings) == names
    for skipped in plans(names):
        slim = prune(copy.deepcopy(model), Plan(family, names, skipped))
        expected = costs.adapted - sum(costs.savings[name] for name in skipped)
        assert count_macs(slim, inputs) == pytest.approx(expected, rel=1e-12)
    plain = load_model(f"{family}-tiny", "vqa")
    family_of(plain).make_skippable(plain)
    assert costs.original == count_macs(plain, inputs)
    table = cost_table(
        plain, SkipConfig.from_dict({"scope": scope, "block_adapter": adapters}), names[1:], SIZE, LENGTH
    )
    assert table.macs_g["original"] == costs.original


@pytest.mark.parametrize("family", ["vilt", "meter", "bridgetower"])
def test_two_images_count_twice(family: str) -> None:
    model = adapted(family, "reasoning")
    inputs = example_inputs(model, SIZE, LENGTH)
    names = tuple(blocks_of(model))
    slim = prune(copy.deepcopy(model), Plan(family, names, names[-2:]))
    costs = count_blocks(model, inputs)
    saved = sum(costs.savings[name] for name in names[-2:])
    assert count_macs(slim, inputs) == pytest.approx(costs.adapted - saved, rel=1e-12)


def test_counting_changes_nothing_and_needs_all_blocks() -> None:
    model = adapted("vilt", block_adapter="lora")
    inputs = example_inputs(model, SIZE, LENGTH)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    block_savings(model, inputs)
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    with pytest.raises(InputError, match="were removed"):
        block_savings(remove_dead_blocks(model, Plan("vilt", tuple("0123"), ("1",))), inputs)


def test_a_shared_copy_has_its_own_structure_on_the_same_memory() -> None:
    model = adapted("vilt")
    twin = shared_copy(model)
    pairs = zip(model.parameters(), twin.parameters(), strict=True)
    assert all(one is not other and one.data_ptr() == other.data_ptr() for one, other in pairs)
    twin.requires_grad_(True)
    assert not all(weight.requires_grad for weight in model.parameters())
    blocks_of(twin)["0"].remove_weights()
    assert not blocks_of(model)["0"].removed


@pytest.mark.parametrize("family", ["vilt", "meter", "bridgetower"])
def test_shapes_only_gives_the_shapes_and_draws_no_weights(family: str) -> None:
    expected = adapted(family)
    inputs = example_inputs(expected, SIZE, LENGTH)
    state = torch.get_rng_state()
    with ShapesOnly():
        nn.Linear(3, 4)
        model = insert(load_model(f"{family}-tiny", "vqa", random_weights=True)).eval()
        found = model(**inputs).logits
    assert torch.equal(torch.get_rng_state(), state)
    assert found.shape == expected(**inputs).logits.shape
    assert torch.isfinite(found).all()


@pytest.mark.parametrize("adapters", ["bottleneck", "lora"])
def test_timing_with_operations_for_a_clock_is_counting(adapters: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = adapted("meter", block_adapter=adapters)
    inputs = example_inputs(model, SIZE, LENGTH)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        monkeypatch.setattr(latency_module, "_clock", counter.get_total_flops)
        timed = time_blocks(model, inputs, repeats=2, warmup=0)
    counted = count_blocks(model, inputs)
    assert (timed.original / 2e9, timed.adapted / 2e9) == (counted.original, counted.adapted)
    assert {name: saved / 2e9 for name, saved in timed.savings.items()} == counted.savings


def test_blocks_of_one_kind_share_one_timing() -> None:
    model = adapted("meter", scope="global")
    timed = time_blocks(model, example_inputs(model, SIZE, LENGTH), repeats=2, warmup=0)
    for stack in ("text", "image", "roberta", "clip"):
        assert len({saved for name, saved in timed.savings.items() if name.startswith(stack)}) == 1
    assert timed.original > 0


@pytest.mark.parametrize("adapters", ["bottleneck", "lora"])
def test_a_disturbance_never_makes_adapters_cheaper(adapters: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, spent = adapted("vilt", block_adapter=adapters), iter(range(10**6))
    monkeypatch.setattr(latency_module, "_clock", lambda: -(float(next(spent)) ** 2))  # every pass is shorter
    timed = time_blocks(model, example_inputs(model, SIZE, LENGTH), repeats=2, warmup=0)
    assert timed.original <= timed.adapted
    if adapters == "lora":
        assert timed.original == timed.adapted
