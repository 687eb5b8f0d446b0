"""Language models behind image towers: skipping layers of both, with and without a cache."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import LlavaModel

from skiptune import InputError, SkipConfig, export, insert, load, load_model
from skiptune.costs.example_inputs import example_inputs
from skiptune.exporting.manifest import WEIGHTS
from skiptune.families.registry import family_of
from skiptune.inserting.parameter_groups import parameter_groups
from skiptune.inserting.selection import blocks_of, choose
from skiptune.models.construction import unsaid
from skiptune.testing import check_family
from tiny_decoders import VLM, generated, one_of, padded_pairs, padded_text, text_decoder, vlm

LORA = SkipConfig(block_adapter="lora", lora_rank=2)
#: Names of what is between a tower and a decoder.
PROJECTORS = ("model.multi_modal_projector.", "model.connector.", "model.image_newline", "model.visual.merger.",
              "model.visual.deepstack_merger_list.")  # fmt: skip


@pytest.mark.parametrize("name", VLM)
def test_cached_generation_is_uncached(name: str) -> None:
    model, inputs = vlm(name), padded_pairs(name)
    whole = model(**inputs, output_hidden_states=True)
    insert(model, LORA.replace(scope="global")).eval()
    found = model(**inputs, output_hidden_states=True)
    assert torch.equal(found.logits, whole.logits)
    assert all(torch.equal(one, other) for one, other in zip(found.hidden_states, whole.hidden_states, strict=True))
    for skipped in (["1", "3"], ["1", "2", "3"], ["0", "2", "image.0", "image.2"]):
        choose(model, skipped)
        cached, plain = (generated(model, inputs, each, steps=2) for each in (True, False))
        assert torch.allclose(cached, plain, rtol=0, atol=2e-5), skipped
    single = generated(model, one_of(inputs, 0), cached=True, steps=2)
    assert torch.allclose(cached[:, :1], single, rtol=0, atol=2e-5)
    assert len(model(**inputs, output_hidden_states=True).hidden_states) == 5


@pytest.mark.parametrize("name", ["qwen3_vl", "gemma3"])
def test_cached_generation_with_halves(name: str) -> None:
    model, inputs = insert(vlm(name), LORA.replace(parts=("attention", "mlp"))).eval(), padded_pairs(name)
    for skipped in (["0.attention", "3.mlp"], [f"{layer}.attention" for layer in range(0, 4, 2)]):
        choose(model, skipped)
        cached, plain = (generated(model, inputs, each) for each in (True, False))
        assert torch.allclose(cached, plain, rtol=0, atol=2e-5), skipped


def test_families_conform() -> None:
    check_family(vlm("qwen3_vl"), padded_pairs("qwen3_vl"))


@torch.no_grad()
@pytest.mark.parametrize("name", ["llama", "gemma2", *sorted(VLM.keys() - {"llava_mistral", "llava_pixtral"})])
def test_models_are_loaded_trained_and_exported(name: str, tmp_path: Path) -> None:
    whole, inputs = (vlm(name), padded_pairs(name)) if name in VLM else (text_decoder(name), padded_text())
    with unsaid():
        whole.save_pretrained(tmp_path / "base")
    model = load_model(str(tmp_path / "base"), type(whole)).eval()
    assert torch.equal(model(**inputs).logits, whole(**inputs).logits)
    insert(model, LORA.replace(scope="global" if name in VLM else "fusion"))
    trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
    assert all("lora_" in name or "skip_adapter" in name or name.startswith(PROJECTORS) for name in trained)
    generator = torch.Generator().manual_seed(0)
    for value in trained.values():
        value += 0.05 * torch.randn(value.shape, generator=generator)
    choose(model, [block for block in blocks_of(model) if block in ("0", "2", "image.1")])
    wanted = model(**inputs).logits
    exported = [export(model, tmp_path / "slim")]
    if name in ("llava", "qwen2_vl", "gemma2"):  # weights with older names in the base's files, and tied ones
        exported.append(export(model, tmp_path / "adapters", form="adapters"))
    for folder in exported:
        assert torch.allclose(load(folder)(**inputs).logits, wanted, rtol=0, atol=1e-5)
    with safe_open(tmp_path / "slim" / WEIGHTS, framework="pt") as file:
        assert not set(file.keys()) & set(whole.all_tied_weights_keys)


@pytest.mark.parametrize(
    ("name", "size", "tokens"),
    [
        ("llava_next", (32, 32), 16 + 8 * 9),  # a small copy, and lines of 8 patches with their ends
        ("llava_next", (16, 30), 16 + 4 * 9),
        ("llava_onevision", (32, 16), 16 + 8 * 5),
        ("llava_pixtral", (8, 12), 2 * 3),
        ("idefics3", (32, 40), 4 * 7),
        ("internvl", (16, 32), 4 * 3),
        ("qwen2_5_vl", (16, 24), 2 * 3),
        ("qwen3_vl", (8, 8), 1),
    ],
)
def test_images_of_other_sizes(name: str, size: tuple[int, int], tokens: int) -> None:
    model = vlm(name)
    inputs = example_inputs(model, size, text_length=3)
    assert inputs["input_ids"].shape == (1, tokens + 3)
    assert model(**inputs).logits.shape[1] == tokens + 3  # transformers refuses another number of image tokens


def test_sizes_that_no_processor_makes_are_refused() -> None:
    with pytest.raises(InputError, match="llava scales every image to 16x16 pixels"):
        example_inputs(vlm("llava"), (32, 16), text_length=3)
    with pytest.raises(InputError, match="both sides must be multiples of 8 pixels"):
        example_inputs(vlm("qwen2_vl"), (12, 16), text_length=3)


def test_layers_that_nothing_reads() -> None:
    model, inputs = insert(vlm("llava"), LORA.replace(scope="global")).eval(), padded_pairs("llava")
    whole = model(**inputs).logits
    assert family_of(model).unread(model.config) == ("image.2",)
    choose(model, ["image.2"])
    assert torch.equal(model(**inputs).logits, whole)
    choose(model, ["image.1"])
    assert not torch.equal(model(**inputs).logits, whole)


def test_models_without_the_head_that_generates() -> None:
    model = LlavaModel(vlm("llava").config)
    insert(model, LORA.replace(scope="global"))
    assert list(blocks_of(model)) == ["0", "1", "2", "3", "image.0", "image.1", "image.2"]
    assert not parameter_groups(model)["head"]
    assert all(name.startswith("multi_modal_projector.") for name in parameter_groups(model)["small_parts"])


def test_a_tower_of_another_kind_stays_as_it_is() -> None:
    model = vlm("llava")
    model.model.vision_tower = torch.nn.Identity()
    with pytest.raises(InputError, match="Identity has no layers that can be skipped"):
        insert(model, LORA.replace(scope="global"))
