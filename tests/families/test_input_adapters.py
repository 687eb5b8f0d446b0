"""The adapters of the released decoders in any decoder: generation, saving, refusals. Their numbers are held to the
authors' in ``test_golden_decoders``."""

from __future__ import annotations

import copy
import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM

import skiptune as st
from skiptune import InputError, SkipConfig, blocks_of, choose, insert
from skiptune.families.decoders.cache import first_tokens
from skiptune.training.gradient_checkpointing import checkpointed_gradients
from tiny_decoders import generated, padded_text, roughened, text_decoder

PLACEMENTS = ("lavin", "lavin_router", "llava")
#: The argument's name, since transformers 5.24 and before.
CACHE = "cache" if "cache" in inspect.signature(LlamaForCausalLM.forward).parameters else "past_key_values"
SKIPPED = (["0"], ["1", "2"], ["0", "3"])


def config_of(placement: Any, **fields: Any) -> SkipConfig:
    """Narrow adapters, whose experts differ much from sequence to sequence."""
    routed = {"router_temperature": 0.05} if placement == "lavin_router" else {}
    return SkipConfig(placement=placement, block_width=4, skip_width=6, **routed, **fields)


def adapted(placement: str, name: str = "llama") -> Any:
    return roughened(insert(text_decoder(name), config_of(placement)).eval())


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("name", ["llama", "gemma2"])
def test_cached_generation_is_uncached_and_batches_are_singles(name: str, placement: str) -> None:
    model = adapted(placement, name)
    single = {name: value[:1, 3:] for name, value in padded_text().items()}
    for skipped in SKIPPED:
        choose(model, skipped)
        cached, plain = (generated(model, padded_text(), each) for each in (True, False))
        assert torch.allclose(cached, plain, rtol=0, atol=2e-5), skipped
        assert torch.allclose(cached[:, :1], generated(model, single, cached=True), rtol=0, atol=2e-5), skipped


def test_beams_and_emptied_caches_keep_mixtures() -> None:
    model = adapted("lavin_router")
    choose(model, ["1"])
    beams = [model.generate(**padded_text(), num_beams=3, use_cache=each, max_new_tokens=5) for each in (True, False)]
    assert torch.equal(*beams)
    plain = generated(model, padded_text(), cached=False)
    for _ in range(2):
        found = generated(model, padded_text(), cached=True, cache_implementation="static", disable_compile=True)
        assert torch.allclose(found, plain, rtol=0, atol=2e-5)


@torch.no_grad()
def test_copies_of_a_cache_have_mixtures_and_other_batches_do_not() -> None:
    model = adapted("lavin_router")
    choose(model, ["1"])
    begun = model(**padded_text(), use_cache=True).past_key_values
    following = {"input_ids": torch.tensor([[5], [6]]), "attention_mask": torch.ones(2, 10, dtype=torch.long)}
    following["attention_mask"][0, :3] = 0
    whole = {"input_ids": torch.cat((padded_text()["input_ids"], following["input_ids"]), 1)}
    expected = model(**whole, attention_mask=following["attention_mask"]).logits[:, -1:]
    for _ in range(2):
        found = model(**following, **{CACHE: copy.deepcopy(begun)}).logits
        assert torch.allclose(found, expected, rtol=0, atol=2e-5)
    begun.batch_repeat_interleave(2)
    with pytest.raises(InputError, match=r"no mixtures for a batch of 4: .* begin with an empty cache"):
        model(**{name: value.repeat_interleave(2, 0) for name, value in following.items()}, **{CACHE: begun})


def test_first_tokens_are_no_padding() -> None:
    z, mask = torch.arange(6.0).view(2, 3, 1), torch.tensor([[0, 1, 1], [1, 1, 1]])
    causal = mask[:, None, None].bool() & torch.ones(3, 3).tril().bool()
    added = torch.zeros(2, 1, 3, 3).masked_fill(~causal, torch.finfo(torch.float32).min)
    for given in (mask, causal, added):
        assert first_tokens(z, {"attention_mask": given}).flatten().tolist() == [1, 3]
    assert first_tokens(z, {"attention_mask": None}).flatten().tolist() == [0, 3]


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_insertion_changes_nothing_except_as_llava_released_it(placement: str) -> None:
    whole = text_decoder("llama")(**padded_text()).logits
    for init, same in (("zero", True), ("paper", placement != "llava")):
        model = insert(text_decoder("llama"), config_of(placement, init=init)).eval()
        assert torch.equal(model(**padded_text()).logits, whole) == same
        counts = {len(block.block_adapters) for block in blocks_of(model).values()}
        assert counts == {2 if placement == "llava" else 1}
    lora = insert(text_decoder("llama"), config_of(placement, block_adapter="lora"))
    assert all(block.block_adapters is None for block in blocks_of(lora).values())
    none = insert(text_decoder("llama"), config_of(placement, block_adapter="none"))
    assert {name for name, _ in none.named_parameters()} == {
        name for name, _ in text_decoder("llama").named_parameters()
    }


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_a_removed_layer_keeps_the_norm_that_its_adapter_reads(placement: str, tmp_path: Path) -> None:
    model = adapted(placement)
    choose(model, ["0", "2"])
    expected = model(**padded_text()).logits
    plan = st.Plan("llama", tuple(blocks_of(model)), ("0", "2"))
    assert torch.equal(copy.deepcopy(model)(**padded_text()).logits, expected)
    model.save_pretrained(tmp_path / "adapted")
    slim = st.prune(model, plan)
    assert {name for name, child in blocks_of(slim)["0"].named_children()} == {"skip_adapter", "input_layernorm"}
    slim.save_pretrained(tmp_path / "pruned")
    st.export(slim, tmp_path / "slim")
    for folder in ("adapted", "pruned", "slim"):
        assert torch.equal(st.load(tmp_path / folder)(**padded_text()).logits, expected), folder
    cached, plain = (generated(slim, padded_text(), each) for each in (True, False))
    assert torch.allclose(cached, plain, rtol=0, atol=2e-5)


def test_plain_checkpoints_have_no_place_for_them(tmp_path: Path) -> None:
    model = insert(text_decoder("llama"), config_of("llava", block_adapter="lora"))
    plan = st.Plan("llama", tuple(blocks_of(model)), ("1",))
    with pytest.raises(InputError, match="form: 'plain': adapters in the place of skipped blocks"):
        st.export(model, tmp_path / "plain", plan=plan, form="plain")


@pytest.mark.parametrize("placement", ["lavin_router", "llava"])
def test_gradient_checkpointing_changes_no_gradient(placement: str) -> None:
    gradients = []
    for checkpointing in (False, True):
        model = adapted(placement).train()
        choose(model, ["1"])
        torch.manual_seed(0)
        with checkpointed_gradients(model, checkpointing):
            model(**padded_text(), labels=padded_text()["input_ids"], use_cache=False).loss.backward()
        gradients.append({name: one.grad for name, one in model.named_parameters() if one.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    assert {"block_adapters", "skip_adapter"} <= {part for name in gradients[0] for part in name.split(".")}
    for name, gradient in gradients[0].items():
        assert torch.allclose(gradient, gradients[1][name], rtol=1e-5, atol=1e-7)


def test_refusals(make_model: Any) -> None:
    with pytest.raises(InputError, match="placement: 'lavin': it is for layers of decoders; blocks of vilt"):
        make_model(SkipConfig.lavin(router=False))
    with pytest.raises(InputError) as refused:
        SkipConfig(placement="llava", init="fit", parts=("mlp",), adapter_scale=2, router_temperature=1)
    for problem in ("parts: ", "init: 'fit'", "adapter_scale: ", "router_temperature: "):
        assert problem in str(refused.value)
    model = text_decoder("llama")
    for widths in ({"block_width": 3, "skip_width": 4}, {"block_width": 4, "skip_width": 3}):
        with pytest.raises(InputError, match="adapters of width 3 in a stream of width 32 do not fall into two"):
            insert(model, SkipConfig(placement="lavin_router", **widths))
    again = roughened(insert(model, config_of("lavin_router")).eval())  # as if nothing had been tried
    assert torch.equal(again(**padded_text()).logits, adapted("lavin_router")(**padded_text()).logits)
