"""Fewer image tokens in METER and BridgeTower: what must be equal is, and as many go on as the schedule says."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import skiptune as st
from skiptune.core.errors import InputError
from skiptune.costs.example_inputs import example_inputs
from skiptune.costs.macs import count_blocks, count_macs
from skiptune.families.meter.modeling import meter_of
from skiptune.inserting.pruning import prune
from skiptune.inserting.selection import blocks_of, choose, chosen_tokens, token_places
from skiptune.layers.token_reduction import tokens_left
from skiptune.searching.prefix_sharing import evaluate_each
from two_streams import BOTTLENECK, EVERYWHERE, NOISE, Batch, checkpointing, gradients, make, make_batch, run, same

WAYS = ("merge", "prune", "both", "pool")
#: A schedule through encoder and fusion, and the number of image tokens (with the class token) in each fusion layer.
SCHEDULES = {
    "meter": ({"clip.1": 0.8, "image.0": 0.5, "image.2": 0.2}, (0.5, 0.5, 0.2)),
    "bridgetower": ({"clip.0": 0.8, "clip.1": 0.3}, (0.3, 0.3, 0.3)),
}


@pytest.fixture(params=list(SCHEDULES))
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def batch() -> Batch:
    return make_batch()


def everywhere(family: str, **changes: Any) -> Any:
    return make(family, EVERYWHERE, NOISE, **changes)


def schedule(family: str, way: Any = "merge") -> st.TokenSchedule:
    return st.TokenSchedule(keep=SCHEDULES[family][0], way=way)


def whole(model: Any, batch: Batch) -> int:
    """Patches of a picture."""
    side = batch["pixel_values"].shape[-1] // model.config.vision_config.patch_size
    return int(side**2)


def test_places(family: str) -> None:
    places = {
        "meter": ("clip.0", "clip.1", "image.0", "image.1", "image.2"),
        "bridgetower": ("clip.0", "clip.1"),  # what clip.1 gives is fused
    }
    model = everywhere(family)
    assert token_places(model) == places[family]
    fusion = tuple(name for name in places[family] if name.startswith("image"))
    assert token_places(make(family, BOTTLENECK)) == fusion
    said = {"meter": "in clip and image only", "bridgetower": "token by token"}
    with pytest.raises(InputError, match=rf"'text.1': no such place.*{said[family]}"):
        choose(model, (), st.TokenSchedule(keep={"text.1": 0.5}))


def test_nothing_reduced_is_what_it_was(family: str, batch: Batch) -> None:
    model = everywhere(family)
    before = run(model, batch)
    choose(model, (), schedule(family))
    assert not torch.equal(run(model, batch).logits, before.logits)
    choose(model, ())
    assert same(run(model, batch), before)


@pytest.mark.parametrize("way", WAYS)
def test_as_many_tokens_go_on_as_the_schedule_says(family: str, way: Any, batch: Batch) -> None:
    model = everywhere(family)
    wanted = [1 + tokens_left(share, way, whole(model, batch)) for share in SCHEDULES[family][1]]
    for skipped in ((), ("image.0", "clip.1"), ("image.0", "image.1", "image.2", "clip.0", "clip.1")):
        choose(model, skipped, schedule(family, way))
        assert [state.shape[1] for state in run(model, batch).image_hidden_states][-3:] == wanted


@pytest.mark.parametrize("way", WAYS)
def test_an_example_has_the_same_answer_alone_and_in_a_batch(family: str, way: Any, batch: Batch) -> None:
    model = everywhere(family)
    choose(model, (), schedule(family, way))
    alone = run(model, {name: value[1:2] for name, value in batch.items()}).logits
    assert torch.allclose(run(model, batch).logits[1:2], alone, atol=1e-5)


def test_gradients_with_checkpointing_are_those_without(family: str, batch: Batch) -> None:
    model = everywhere(family).train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    choose(model, ("image.1",), schedule(family, "both"))
    plain, saving = copy.deepcopy(model), model
    plain(**batch).loss.backward()
    checkpointing(saving)
    saving(**batch).loss.backward()
    expected, found = gradients(plain), gradients(saving)
    assert expected.keys() == found.keys() != set()
    assert all(torch.allclose(found[name], expected[name], atol=1e-6) for name in expected)


def test_prefixes_are_shared_without_a_change(family: str, batch: Batch) -> None:
    model = everywhere(family)
    first, *_, last = token_places(model)
    names = {"meter": ("image.0", last), "bridgetower": (first, last)}[family]
    keeps = [None, {names[0]: 0.5}, {names[1]: 0.5}, {names[0]: 0.5}, {first: 0.5}, {first: 0.5, last: 0.3}]
    tokens = [None if keep is None else st.TokenSchedule(keep=keep, way="prune") for keep in keeps]
    sets = [("text.2",), (), (), ("image.1",), ("clip.0",), ("image.2",)]
    found = dict(evaluate_each(model, sets, lambda: model(**batch).logits, tokens=tokens))
    for number, (skipped, each) in enumerate(zip(sets, tokens, strict=True)):
        choose(model, skipped, each)
        assert torch.equal(found[number], run(model, batch).logits)


def test_costs_are_additive(family: str) -> None:
    model, tokens = everywhere(family), schedule(family, "both")
    given = example_inputs(model, (64, 64), 7, 1)
    plan = st.Plan(family, tuple(blocks_of(model)), ("image.2", "clip.0", "text.0"), tokens=tokens)
    costs = count_blocks(model, given, tokens=tokens)
    assert costs.adapted < 0.9 * costs.original
    slim = prune(copy.deepcopy(model), plan)
    assert costs.with_skipped(plan.skipped) == pytest.approx(count_macs(slim, given), rel=1e-6)


def test_an_export_has_its_schedule(family: str, batch: Batch, tmp_path: Path) -> None:
    model, tokens = everywhere(family), schedule(family, "both")
    plan = st.Plan(family, tuple(blocks_of(model)), ("image.2", "clip.0"), tokens=tokens)
    choose(model, plan)
    st.export(model, tmp_path, plan)
    loaded = st.load(tmp_path)
    assert chosen_tokens(loaded) == tokens
    assert torch.allclose(run(loaded, batch).logits, run(model, batch).logits, atol=1e-5)


def test_ranking_several_texts_of_an_image(family: str, batch: Batch) -> None:
    """Every image is encoded once, and its sizes go with it."""
    changes = {"contrast_scale": 5.0} if family == "meter" else {}
    model = everywhere(family, task="retrieval", **changes)
    choose(model, (), schedule(family))
    texts, mask, pixels = batch["input_ids"], batch["attention_mask"], batch["pixel_values"][:2]
    two = torch.stack((texts[:2], texts[1:])), torch.stack((mask[:2], mask[1:]))
    with torch.no_grad():
        together = model(*two, pixels).logits
        encoded = model.encode_texts(*(part.flatten(0, 1) for part in two)), model.encode_images(pixels)
        assert torch.equal(model.score(*encoded), together)
        for row in range(2):
            for place in range(2):
                alone = model(*(part[row, place][None] for part in two), pixels[row : row + 1]).logits
                assert torch.allclose(alone[0, 0], together[row, place], atol=1e-5)


def test_two_images_a_text(family: str, batch: Batch) -> None:
    model = everywhere(family, task="reasoning")
    choose(model, (), schedule(family))
    pixels = torch.stack((batch["pixel_values"], batch["pixel_values"].flip(0)), dim=1)
    logits = model(batch["input_ids"], batch["attention_mask"], pixels).logits
    alone = model(batch["input_ids"][:1], batch["attention_mask"][:1], pixels[:1]).logits
    assert torch.allclose(logits[:1], alone, atol=1e-5)


@torch.no_grad()
def alike(model: Any, batch: Batch) -> Batch:
    """Pictures of one colour each for a model that does not look where patches are: all patches are the same."""
    (positions,) = (weight for name, weight in model.named_parameters() if name.endswith("position_embedding.weight"))
    positions[1:] = positions[1:2]
    colours = torch.tensor([0.3, -0.5, 0.9]).view(3, 1, 1, 1)
    return {**batch, "pixel_values": colours.expand(3, 3, 48, 48).contiguous()}


def test_tokens_that_are_the_same_are_merged_without_a_loss(family: str, batch: Batch) -> None:
    """Attention to a token of size n is attention to n tokens, in the encoder and from the text."""
    model = everywhere(family)
    given = alike(model, batch)
    before = run(model, given).logits
    choose(model, (), schedule(family))
    after = run(model, given)
    assert torch.allclose(after.logits, before, atol=1e-5)
    assert after.image_hidden_states[-1].shape[1] < 10
    choose(model, (), schedule(family, "prune"))  # which is not the same: nothing stands for what is left out
    assert not torch.allclose(run(model, given).logits, before, atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
@torch.no_grad()
def test_sizes_count_all_patches(way: Any, batch: Batch) -> None:
    model = everywhere("meter")
    patches = whole(model, batch)
    choose(model, (), st.TokenSchedule(keep={"clip.0": 0.6, "clip.1": 0.3}, way=way))
    encoded, sizes = meter_of(model).encode_patches(batch["pixel_values"])
    left = 1 + tokens_left(0.3, way, patches)
    assert encoded.shape[:2] == (3, left)
    assert sizes.shape == (3, 1 + patches)
    assert (sizes > 0).sum(1).tolist() == [left] * 3
    everything, fewer = 1 + patches, sizes.sum(1)
    expected = {"prune": fewer == left, "both": (left < fewer) & (fewer < everything)}
    assert expected.get(way, fewer == everything).all()
    # the mean of an image's vector counts a token as often as it stands for a patch
    kept = [size[size > 0].long() for size in sizes]
    repeated = [row.repeat_interleave(size, dim=0) for row, size in zip(encoded, kept, strict=True)]
    means = torch.cat([meter_of(model).image_vector(row[None]) for row in repeated])
    assert torch.allclose(meter_of(model).image_vector(encoded, sizes), means, atol=1e-6)


@torch.no_grad()
def test_a_cache_of_encoder_outputs_is_left_alone_where_the_encoder_reduces(batch: Batch, tmp_path: Path) -> None:
    model = make("meter", EVERYWHERE, NOISE).requires_grad_(False)
    with st.EncoderCache(tmp_path / "encoded.sqlite").attached(model) as cache:
        run(model, batch)
        choose(model, (), st.TokenSchedule(keep={"image.1": 0.5}))  # its encoder's output is that of the whole model
        run(model, batch)
        assert (cache.hits, cache.misses) == (6, 6)
        tokens = st.TokenSchedule(keep={"clip.1": 0.5})
        choose(model, (), tokens)
        found = run(model, batch).logits
        encoded = meter_of(model).encode_image(batch["pixel_values"])
        assert (cache.hits, cache.misses) == (9, 6)
    assert torch.allclose(run(model, batch).logits, found, atol=1e-5)
    assert torch.equal(meter_of(model).encode_image(batch["pixel_values"]), encoded)


def test_prompts_and_fewer_tokens_do_not_go_together() -> None:
    from skiptune.families.meter.skipping import add_prompts

    model = make("meter", BOTTLENECK)
    add_prompts(model, 2)
    with pytest.raises(InputError, match=r"cannot become fewer \(in clip and image only"):
        choose(model, (), st.TokenSchedule(keep={"image.1": 0.5}))


def test_autocast(family: str, batch: Batch) -> None:
    model = everywhere(family)
    choose(model, (), schedule(family))
    exact = run(model, batch).logits
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(run(model, batch).logits.float(), exact, atol=0.2)
