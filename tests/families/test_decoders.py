"""Language models: skipping layers and halves of them, with and without a cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.hooks import ModelHook, add_hook_to_module
from peft import LoraConfig, get_peft_model, inject_adapter_in_model
from transformers import (
    Gemma2ForTokenClassification,
    Gemma3ForSequenceClassification,
    LlamaForQuestionAnswering,
    Qwen3ForSequenceClassification,
)

from skiptune import InputError, SkipConfig, export, insert, load, load_processor, parameter_groups
from skiptune.families.registry import family_of
from skiptune.inserting.selection import blocks_of, choose
from skiptune.searching.prefix_sharing import evaluate_each
from skiptune.training.gradient_checkpointing import checkpointed_gradients
from tiny_decoders import (
    TEXT,
    generated,
    padded_text,
    roughened,
    some_sets,
    text_config,
    text_decoder,
    vlm_config,
)

HALVES = ("attention", "mlp")
#: Classes with a head beside the body → the tiny model they have the body of.
HEADS: dict[Any, str] = {
    LlamaForQuestionAnswering: "llama",
    Qwen3ForSequenceClassification: "qwen3",
    Gemma2ForTokenClassification: "gemma2",
    Gemma3ForSequenceClassification: "gemma3",
}


@pytest.mark.parametrize("parts", [(), HALVES], ids=["layers", "halves"])
@pytest.mark.parametrize("name", TEXT)
def test_cached_generation_is_uncached(name: str, parts: Any) -> None:
    model = text_decoder(name)
    whole = model(**padded_text()).logits
    insert(model, SkipConfig(block_adapter="lora", lora_rank=2, parts=parts))
    model.eval()
    assert torch.equal(model(**padded_text()).logits, whole)
    for skipped in some_sets(list(blocks_of(model))):
        choose(model, skipped)
        cached, plain = (generated(model, padded_text(), each) for each in (True, False))
        assert torch.allclose(cached, plain, rtol=0, atol=2e-5), skipped


@pytest.mark.parametrize("parts", [(), HALVES], ids=["layers", "halves"])
def test_batches_are_singles(parts: Any) -> None:
    model = insert(text_decoder("gemma2"), SkipConfig(block_adapter="lora", lora_rank=2, parts=parts)).eval()
    names = list(blocks_of(model))
    for skipped in (names[:1], names[1::2]):
        choose(model, skipped)
        single = {name: value[:1, 3:] for name, value in padded_text().items()}
        both = generated(model, padded_text(), cached=True)
        assert torch.allclose(both[:, :1], generated(model, single, cached=True), rtol=0, atol=2e-5)


def test_static_caches_and_hidden_states(monkeypatch: pytest.MonkeyPatch) -> None:
    model = insert(text_decoder("llama"), SkipConfig(block_adapter="lora", lora_rank=2)).eval()
    choose(model, ["0", "2"])
    plain = generated(model, padded_text(), cached=False)
    static = generated(model, padded_text(), cached=True, cache_implementation="static", disable_compile=True)
    assert torch.allclose(static, plain, rtol=0, atol=2e-5)
    states = model(**padded_text(), output_hidden_states=True).hidden_states
    assert len(states) == 5
    assert torch.equal(states[0], states[1])
    with pytest.raises(InputError, match="output_attentions"):
        model(**padded_text(), output_attentions=True)
    model.set_attn_implementation("eager")
    model.config.output_attentions = True
    with pytest.raises(InputError, match="output_attentions"):
        model(**padded_text())


def test_both_halves_are_the_layer() -> None:
    layers = insert(text_decoder("gemma3_text"), SkipConfig(block_adapter="lora", lora_rank=2)).eval()
    halves = insert(text_decoder("gemma3_text"), SkipConfig(block_adapter="lora", lora_rank=2, parts=HALVES)).eval()
    choose(layers, ["1"])
    choose(halves, ["1.attention", "1.mlp"])
    assert torch.equal(layers(**padded_text()).logits, halves(**padded_text()).logits)


def test_models_that_accelerate_has_put_on_devices() -> None:
    plain, placed = text_decoder("llama"), text_decoder("llama")
    hooks = [add_hook_to_module(layer, ModelHook()) for layer in placed.model.layers]
    for model in (plain, placed):
        insert(model, SkipConfig(block_adapter="lora", lora_rank=2)).eval()
    sets = [["0"], ["1", "2"], []]
    wanted, found = (
        dict(evaluate_each(model, sets, lambda model=model: model(**padded_text()).logits)) for model in (plain, placed)
    )
    assert all(torch.equal(wanted[number], found[number]) for number in range(len(sets)))
    assert not torch.equal(found[0], found[2])
    assert all("forward" in vars(layer) for layer in hooks)


def test_gradient_checkpointing_changes_no_gradient() -> None:
    gradients = []
    for checkpointing in (False, True):
        model = insert(text_decoder("llama"), SkipConfig(block_adapter="lora", lora_rank=2)).train()
        choose(model, ["1"])
        with checkpointed_gradients(model, checkpointing):
            model(**padded_text(), labels=padded_text()["input_ids"], use_cache=False).loss.backward()
        gradients.append({name: one.grad for name, one in model.named_parameters() if one.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    assert any(".2." in name for name in gradients[0])
    assert not any("layers.1.self_attn" in name for name in gradients[0])
    for name, gradient in gradients[0].items():
        assert torch.allclose(gradient, gradients[1][name], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", TEXT)
def test_conversations_packed_into_one_row_do_not_see_each_other(name: str) -> None:
    """Positions that begin anew say where; so TRL packs, and trains without padding."""
    model = insert(text_decoder(name), SkipConfig(block_adapter="lora", lora_rank=2)).eval()
    choose(model, ["0", "2"])
    ids = torch.arange(3, 15)[None]
    packed = model(input_ids=ids, position_ids=torch.tensor([[*range(5), *range(7)]]), use_cache=False).logits
    alone = torch.cat([model(input_ids=part, use_cache=False).logits for part in (ids[:, :5], ids[:, 5:])], dim=1)
    assert torch.allclose(packed, alone, rtol=0, atol=2e-5)


def test_adapters_of_peft_are_not_replaced() -> None:
    model = text_decoder("llama")
    inject_adapter_in_model(LoraConfig(r=2, target_modules=["q_proj"]), model)
    with pytest.raises(InputError, match="PEFT's adapters are in this model already"):
        insert(model, SkipConfig(block_adapter="lora"))


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # PEFT reads it
def test_peft_around_a_model_that_skips(tmp_path: Path) -> None:
    config = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    model: Any = insert(text_decoder("llama"), SkipConfig(block_adapter="none", skip_adapter="none"))
    wrapped: Any = get_peft_model(model, config).eval()
    choose(wrapped, ["1"])
    wanted = wrapped(**padded_text()).logits
    with pytest.raises(InputError, match="insert into the model itself, and call"):
        insert(get_peft_model(text_decoder("llama"), config), SkipConfig(block_adapter="none"))
    plain = load(export(wrapped.merge_and_unload(), tmp_path / "plain", form="plain"))
    assert torch.allclose(plain(**padded_text()).logits, wanted, rtol=0, atol=2e-6)


@pytest.mark.parametrize("kind", HEADS, ids=lambda kind: kind.__name__)
def test_new_heads_are_trained_and_exported(kind: Any, tmp_path: Path) -> None:
    model = roughened(kind(vlm_config("gemma3") if "Gemma3For" in kind.__name__ else text_config(HEADS[kind]))).eval()
    insert(model, SkipConfig(block_adapter="lora", lora_rank=2, skip_adapter="none"))
    assert {name.partition(".")[0] for name in parameter_groups(model)["head"]} <= {"score", "qa_outputs"}
    assert all(parameter.requires_grad for parameter in parameter_groups(model)["head"].values())
    assert parameter_groups(model)["head"]
    choose(model, ["1"])
    wanted = model(**padded_text())[0]
    assert torch.allclose(load(export(model, tmp_path / "slim"))(**padded_text())[0], wanted, rtol=0, atol=1e-6)
    plain = kind.from_pretrained(export(model, tmp_path / "plain", form="plain"))
    assert torch.allclose(plain(**padded_text())[0], wanted, rtol=0, atol=1e-6)


def test_halves_of_other_families_are_refused(make_model: Any) -> None:
    with pytest.raises(InputError, match="parts: mlp: blocks of vilt have no such halves"):
        make_model(SkipConfig(parts=("mlp",)))


def test_a_task_that_a_family_has_no_head_for_is_refused() -> None:
    with pytest.raises(InputError, match="task 'vqa': llama has no head for it; valid: generation"):
        family_of(text_decoder("llama")).model_class("vqa")


@pytest.mark.parametrize(
    ("name", "said"),
    [("smollm2-135m", "random weights; there is no checkpoint"), ("llama", "no tokenizer could be read")],
)
def test_missing_processors_of_decoders_are_told(name: str, said: str, tmp_path: Path) -> None:
    if name == "llama":
        name = str(tmp_path)
        text_config("llama").save_pretrained(tmp_path)
    with pytest.raises(InputError, match=said):
        load_processor(name)
