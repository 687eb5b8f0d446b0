"""Fewer image tokens in decoders: what must be equal is, with and without a cache, alone and in a batch."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import DynamicCache

import skiptune as st
from skiptune.config.way import Way
from skiptune.core.errors import InputError
from skiptune.costs.example_inputs import example_inputs
from skiptune.costs.macs import count_blocks, count_macs
from skiptune.costs.model_parts import count_parts
from skiptune.families.decoders.cache import cache_argument
from skiptune.families.decoders.structure import decoder_of
from skiptune.inserting.pruning import prune
from skiptune.inserting.selection import blocks_of, choose, chosen_tokens, frozen_places, token_places
from skiptune.layers.token_reduction import tokens_left
from skiptune.searching.prefix_sharing import evaluate_each
from tiny_decoders import IMAGE, generated, one_of, padded_pairs, vlm

WAYS = ("merge", "prune", "both", "pool")
LORA = st.SkipConfig(block_adapter="lora", lora_rank=2)
EARLY = st.TokenSchedule(keep={"0": 0.5, "2": 0.2}, way="merge")
LATE = st.TokenSchedule(keep={"1": 0.6, "3": 0.3}, way="prune")
FROZEN = st.TokenSchedule(frozen=("0", "2"))
MIXED = st.TokenSchedule(keep={"1": 0.5}, way="both", frozen=("0", "1", "3"))


CACHE = str(cache_argument(vlm("llava")))


def inserted(name: str = "llava") -> Any:
    return st.insert(vlm(name), LORA).eval()


def close(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=0, atol=2e-5)


def lengths(model: Any, inputs: Any) -> list[int]:
    """Tokens of the stream that each layer runs on."""
    found: list[int] = []
    hooks = [
        layer.register_forward_hook(lambda module, given, output: found.append(output.shape[1]))
        for layer in decoder_of(model).layers
    ]
    with torch.no_grad():
        model(**inputs)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("schedule", [EARLY, LATE, FROZEN, MIXED], ids=str)
def test_cached_generation_is_uncached(schedule: st.TokenSchedule) -> None:
    model, inputs = inserted(), padded_pairs("llava")
    whole = model(**inputs).logits
    for skipped in ((), ("0", "2")):
        choose(model, skipped, schedule)
        cached, plain = (generated(model, inputs, each) for each in (True, False))
        assert close(cached, plain), skipped
        assert close(cached[:, :1], generated(model, one_of(inputs, 0), cached=True))
    choose(model, ())
    assert torch.equal(model(**inputs).logits, whole)


@pytest.mark.parametrize("name", ["llava_mistral", "smolvlm", "qwen2_vl", "qwen3_vl", "paligemma2", "gemma3"])
def test_families(name: str) -> None:
    """Sliding windows, tiles, positions in three axes, features added behind layers, images seen in both directions."""
    model, inputs = inserted(name), padded_pairs(name)
    first = token_places(model)[0]
    ways: tuple[Way, ...] = ("both", "pool")
    for way in ways:
        choose(model, ("1",), st.TokenSchedule(keep={first: 0.5, "3": 0.2}, way=way, frozen=("0", "3")))
        cached, plain = (generated(model, inputs, each, steps=2) for each in (True, False))
        assert close(cached, plain), way
        assert close(cached[:, :1], generated(model, one_of(inputs, 0), cached=True, steps=2)), way


def test_as_many_tokens_go_on_as_the_schedule_says() -> None:
    model, inputs = inserted(), padded_pairs("llava")
    text = inputs["input_ids"].shape[1] - 16
    for way in WAYS:
        choose(model, ("2",), st.TokenSchedule(keep={"1": 0.6, "2": 0.2}, way=way))
        left = [tokens_left(share, way, 16) for share in (1.0, 0.6, 0.2, 0.2)]
        assert lengths(model, inputs) == [text + count for count in left]
        assert model(**inputs).logits.shape[:2] == inputs["input_ids"].shape


def test_text_in_a_frozen_layer_is_what_it_is_in_any() -> None:
    for name in ("llava", "qwen2_vl", "gemma3"):
        model, inputs = inserted(name), padded_pairs(name)
        text = (inputs["input_ids"] != IMAGE) & inputs["attention_mask"].bool()
        whole = model(**inputs).logits
        choose(model, (), st.TokenSchedule(frozen=("3",)))
        found = model(**inputs).logits
        assert close(found[text], whole[text])
        assert not close(found[~text], whole[~text])


def mixed() -> dict[str, Tensor]:
    """Three texts: with one image, with two, the second of them at the end, and with none."""
    one = padded_pairs("llava")
    image, text = one["input_ids"][1, :16], one["input_ids"][1, 16:]
    texts = [torch.cat((text[:4], image, text)), torch.cat((image, text, image, text[:2])), text.flip(0)]
    longest = max(map(len, texts))
    return {
        "input_ids": torch.stack([pad(each, (longest - len(each), 0)) for each in texts]),
        "attention_mask": torch.stack([pad(torch.ones_like(each), (longest - len(each), 0)) for each in texts]),
        "pixel_values": torch.cat((one["pixel_values"], one["pixel_values"][:1])),
    }


@pytest.mark.parametrize("schedule", [EARLY, LATE, MIXED], ids=str)
def test_examples_with_more_images_than_others(schedule: st.TokenSchedule) -> None:
    model, inputs = inserted(), mixed()
    choose(model, ("2",), schedule)
    cached, plain = (generated(model, inputs, each) for each in (True, False))
    assert close(cached, plain)
    for row, pixels in enumerate((slice(0, 1), slice(1, 3), slice(0, 0))):
        real = inputs["attention_mask"][row].bool()
        alone = {name: inputs[name][row : row + 1, real] for name in ("input_ids", "attention_mask")}
        if row < 2:
            alone["pixel_values"] = inputs["pixel_values"][pixels]
        assert close(cached[:, row : row + 1], generated(model, alone, cached=True)), row


def test_a_second_image_in_a_conversation() -> None:
    """What became of the first does not depend on what came later."""
    model, inputs = inserted(), mixed()
    choose(model, ("0",), EARLY)
    ids, mask = inputs["input_ids"][1:2], inputs["attention_mask"][1:2]
    images, cache, cut = inputs["pixel_values"][1:], DynamicCache(config=model.config), 25
    with torch.no_grad():
        whole = model(input_ids=ids, attention_mask=mask, pixel_values=images).logits
        parts = [
            model(input_ids=ids[:, :cut], attention_mask=mask[:, :cut], pixel_values=images[:1], **{CACHE: cache}),
            model(input_ids=ids[:, cut:], attention_mask=mask, pixel_values=images[1:], **{CACHE: cache}),
        ]
        text = ids[0] != IMAGE
        assert close(torch.cat([part.logits for part in parts], dim=1)[0, text], whole[0, text])
        cache.crop(-1)
        again = model(input_ids=ids[:, -1:], attention_mask=mask, **{CACHE: cache}).logits
        assert close(again[:, -1], whole[:, -1])
        with pytest.raises(InputError, match="image tokens, of which this cache holds only some"):
            cache.crop(-10)


def test_a_prompt_in_parts() -> None:
    """Image tokens that pass a layer unchanged may come in parts; where they become fewer, that is refused."""
    model, inputs = inserted(), padded_pairs("llava")
    options = {"max_new_tokens": 3, "do_sample": False, "suppress_tokens": [IMAGE]}
    try:
        model.generate(**inputs, **options, prefill_chunk_size=5)
    except ValueError:
        pytest.skip("this version of transformers takes no prompt with images in parts")
    choose(model, ("1",), FROZEN)
    with torch.no_grad():
        whole = model.generate(**inputs, **options)
        assert torch.equal(model.generate(**inputs, **options, prefill_chunk_size=5), whole)
        alone = one_of(inputs, 1)
        image = alone["input_ids"] == IMAGE
        assert close(
            model(input_ids=alone["input_ids"][image][None], pixel_values=alone["pixel_values"]).logits,
            model(**alone).logits[:, image[0]],
        )
        choose(model, ("1",), EARLY)
        with pytest.raises(InputError, match="an image's tokens came in parts"):
            model.generate(**inputs, **options, prefill_chunk_size=5)
        assert torch.equal(
            model.generate(**inputs, **options, prefill_chunk_size=40), model.generate(**inputs, **options)
        )


def test_beams() -> None:
    model, inputs = inserted(), padded_pairs("llava")
    choose(model, ("1",), MIXED)
    with torch.no_grad():
        cached, plain = (
            model.generate(
                **inputs, num_beams=3, max_new_tokens=3, do_sample=False, use_cache=each, suppress_tokens=[IMAGE]
            )
            for each in (True, False)
        )
    assert torch.equal(cached, plain)


def test_training_with_and_without_checkpoints() -> None:
    """Gradients are the same whether layers are computed a second time or not."""
    inputs, found = padded_pairs("llava"), []
    labels = inputs["input_ids"].masked_fill(inputs["input_ids"] == IMAGE, -100)
    for checkpoints in (False, True):
        model = inserted().train()
        choose(model, ("2",), MIXED)
        if checkpoints:
            (getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable)()
        loss = model(**inputs, labels=labels, use_cache=False).loss
        loss.backward()
        found.append([p.grad for p in model.parameters() if p.requires_grad])
    assert any(gradient is not None and gradient.abs().max() > 0 for gradient in found[0])
    for one, other in zip(*found, strict=True):
        assert (one is None) == (other is None)
        assert one is None or torch.allclose(one, other, atol=1e-6)


def test_prefixes_are_shared_without_a_change() -> None:
    model, inputs = inserted(), padded_pairs("llava")
    tokens = [None, EARLY, FROZEN, st.TokenSchedule(frozen=("0", "3")), MIXED, LATE]
    sets = [("1",), (), (), ("1",), ("1",), ("1",)]
    found = dict(evaluate_each(model, sets, lambda: model(**inputs).logits, tokens=tokens))
    for number, (skipped, schedule) in enumerate(zip(sets, tokens, strict=True)):
        choose(model, skipped, schedule)
        assert torch.equal(found[number], model(**inputs, use_cache=False).logits)


def test_costs_are_additive() -> None:
    model, schedule = inserted(), MIXED
    inputs = {name: value[1:] for name, value in padded_pairs("llava").items()}
    costs, bare = count_blocks(model, inputs, tokens=schedule), count_blocks(model, inputs)
    plan = st.Plan("llava", tuple(blocks_of(model)), ("1", "2"), tokens=schedule)
    slim = prune(copy.deepcopy(model), plan)
    assert costs.original == bare.original > costs.adapted
    assert costs.with_skipped(plan.skipped) == pytest.approx(
        count_macs(slim, {**inputs, "logits_to_keep": 1}), rel=1e-6
    )


@pytest.mark.parametrize("form", ["standalone", "adapters"])
def test_an_export_has_its_schedule(form: Any, tmp_path: Path) -> None:
    base = vlm("llava")
    base.save_pretrained(tmp_path / "base")
    model = st.insert(st.load_model(str(tmp_path / "base"), type(base)), LORA).eval()
    choose(model, ("0",), MIXED)
    plan = st.Plan("llava", tuple(blocks_of(model)), ("0",), tokens=MIXED)
    st.export(model, tmp_path / "slim", plan, form=form)
    loaded, inputs = st.load(tmp_path / "slim"), padded_pairs("llava")
    assert chosen_tokens(loaded) == MIXED
    assert close(generated(loaded, inputs, cached=True), generated(model, inputs, cached=True))
    with pytest.raises(InputError, match="smaller pictures or fewer tiles"):
        st.export(model, tmp_path / "plain", plan, form="plain")


def test_what_cannot_be_is_refused() -> None:
    model, inputs = inserted(), padded_pairs("llava")
    choose(model, (), EARLY)
    embeddings = model.get_input_embeddings()(inputs["input_ids"])
    with pytest.raises(InputError, match="embeddings do not tell"):
        model(inputs_embeds=embeddings)
    with pytest.raises(InputError, match="the decoder runs by itself"):
        decoder_of(model)(inputs_embeds=embeddings)
    with pytest.raises(InputError, match="a cache must grow"):
        generated(model, inputs, cached=True, cache_implementation="static")
    cache = DynamicCache(config=model.config)
    model(**inputs, **{CACHE: cache})
    choose(model, ())
    with pytest.raises(InputError, match="begin with an empty cache"):
        model(input_ids=inputs["input_ids"][:, :1], **{CACHE: cache})
    model.set_attn_implementation("flex_attention")
    choose(model, (), EARLY)
    with pytest.raises(InputError, match="attention needs a mask"):
        model(**inputs)
    halves = st.insert(vlm("llava"), LORA.replace(parts=("attention", "mlp")))
    assert token_places(halves) == frozen_places(halves) == ()
    routed = st.insert(vlm("llava"), st.SkipConfig(placement="lavin_router"))
    assert token_places(routed) == frozen_places(routed) == ()
    assert token_places(inserted("qwen3_vl")) == ("2", "3")


def test_the_cache_holds_fewer_tokens() -> None:
    model, (each, text, image) = inserted(), (2 * 16, 6, 16)  # keys and values of two heads of eight
    inputs = example_inputs(model, (16, 16), text)
    assert count_parts(model, inputs).held == each * 4 * (text + image)
    choose(model, (), LATE)
    assert count_parts(model, inputs).held == each * (4 * text + image + 2 * round(0.6 * image) + round(0.3 * image))
    choose(model, (), FROZEN)
    assert count_parts(model, inputs).held == each * 4 * (text + image)
