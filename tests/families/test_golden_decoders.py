"""Decoders against numbers made by running the authors' code, LaVIN-DAS and LLaVA-DAS (../shared/golden/decoders)."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import golden_lavin
import golden_llava
from golden_decoders import KINDS, PLAIN, TOLERANCE, Golden, all_outputs, decoder_states, greedy, needs_golden, relative
from skiptune import choose

pytestmark = needs_golden


def found_and_rows(kind: str, name: str) -> tuple[dict[str, torch.Tensor], list[int]]:
    """What our model computes, under the authors' names, and how many positions of each row are compared."""
    golden, adapted = Golden(kind), name != PLAIN
    if kind == "llava":
        model, given = golden_llava.llava(adapted), golden_llava.sequence()
        rows = golden_llava.real_tokens().tolist()
    else:
        model, given = golden_lavin.lavin(kind, adapted), golden_lavin.sequence(golden, adapters=adapted)
        rows = [given["labels"].shape[1]] * len(given["labels"])
    choose(model, golden.skipped(name))
    labels = given.pop("labels")
    found = decoder_states(model, **given)
    found["logits"] = found["logits"][..., : golden.words]
    lossy = golden_llava.loss if kind == "llava" else golden_lavin.loss
    return {**found, "loss": lossy(found["logits"], labels)[None]}, rows


@pytest.mark.parametrize(("kind", "name"), all_outputs())
def test_hidden_states_logits_and_loss(kind: str, name: str) -> None:
    expected = Golden(kind).tensors(f"out_{name}")
    found, rows = found_and_rows(kind, name)
    layers = Golden(kind).layers
    assert found.keys() >= {*(f"hidden_{number}" for number in range(layers + 1)), "normed", "logits", "loss"}
    assert relative(found.pop("loss"), expected["loss"]) <= TOLERANCE
    for part, ours in found.items():
        for row, length in enumerate(rows):
            assert relative(ours[row, :length], expected[part][row, :length]) <= TOLERANCE, (part, row)


@pytest.mark.parametrize("name", Golden("llava").outputs())
def test_images_and_the_learnt_token_of_llava(name: str) -> None:
    golden, model, given = golden_llava.GOLDEN, golden_llava.llava(name != PLAIN), golden_llava.sequence(training=False)
    choose(model, golden.skipped(name))
    expected = golden.tensors(f"out_{name}")
    features, embeds = golden_llava.image_parts(model, given["pixel_values"])
    assert relative(features, expected["image_features"]) <= TOLERANCE
    assert relative(embeds, expected["image_embeds"]) <= TOLERANCE
    given.pop("labels")
    states = decoder_states(model, **given)
    for recorded in [part for part in expected if part.startswith("eval_hidden_")]:
        ours = states[recorded.removeprefix("eval_").removesuffix("_prefix")][:, 0]
        assert relative(ours, expected[recorded]) <= TOLERANCE


@pytest.mark.parametrize("name", Golden("lavin_mm").outputs())
def test_images_of_lavin(name: str) -> None:
    golden = Golden("lavin_mm")
    expected = golden.tensors(f"out_{name}")
    features = golden_lavin.image_features(golden, golden.tensors("inputs")["images"], name != PLAIN)
    assert relative(features, expected["image_features"]) <= TOLERANCE
    assert relative(golden_lavin.image_embeds(golden, features), expected["image_embeds"]) <= TOLERANCE


@pytest.mark.parametrize("kind", KINDS)
def test_generation_cached_and_uncached_is_the_authors_uncached(kind: str) -> None:
    golden = Golden(kind)
    settings: dict[str, Any] = golden.config["generation"]
    model = golden_llava.llava() if kind == "llava" else golden_lavin.lavin(kind)
    recorded = [name for name in golden.tensors("generation") if name.endswith("_uncached_logits")]
    assert recorded
    for name in recorded:
        shown, _, skipped = name.removesuffix("_uncached_logits").rpartition("_")
        choose(model, golden.skipped(skipped))
        stream = golden_llava.prompt() if kind == "llava" else golden_lavin.prompt(golden, shown == "image")
        for cached in (False, True):
            logits = greedy(model, stream, settings["new_tokens"], golden.words, kind != "lavin_pl", cached)
            assert relative(logits, golden.tensors("generation")[name]) <= TOLERANCE, (name, cached)
            assert logits.argmax(-1).tolist() == settings[name.removesuffix("_logits")]
