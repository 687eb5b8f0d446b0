"""Plain checkpoints of decoders: transformers' class reads all of them, and computes what the skipped model does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM

import skiptune as st
from skiptune.inserting.selection import blocks_of, choose
from tiny_decoders import TEXT, padded_text, text_decoder


def adapted(name: str, config: st.SkipConfig) -> Any:
    """A tiny decoder with LoRA that does something, and without skip adapters."""
    model = st.insert(text_decoder(name), config).eval()
    for block in blocks_of(model).values():
        block.skip_adapter = None
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
    return model


def plan_of(model: Any, *skipped: str) -> st.Plan:
    return st.Plan(model.config.model_type, tuple(blocks_of(model)), skipped)


def reads_plain(folder: Path) -> Any:
    """transformers' own reading, of all weights and nothing else."""
    found, report = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", output_loading_info=True)
    assert not any(report.values()), report
    return found.eval()


@pytest.mark.parametrize("skipped", [("0", "3"), ("1", "2")], ids=["ends", "middle"])
@pytest.mark.parametrize("name", TEXT)
def test_the_same_numbers_from_transformers(name: str, skipped: tuple[str, ...], tmp_path: Path) -> None:
    model = adapted(name, st.SkipConfig(block_adapter="none"))
    found = reads_plain(st.export(model, tmp_path / "plain", plan_of(model, *skipped), form="plain"))
    assert type(found) is type(model).plain_class
    choose(model, skipped)
    assert torch.equal(found(**padded_text()).logits, model(**padded_text()).logits)
    for cached in (True, False):
        settings = {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False, "use_cache": cached}
        assert torch.equal(found.generate(**padded_text(), **settings), model.generate(**padded_text(), **settings))


def test_merged_lora_agrees_to_rounding_and_the_model_stays(tmp_path: Path) -> None:
    model = adapted("llama", st.SkipConfig(block_adapter="lora", lora_rank=2))
    model.config.use_cache = False  # as for a training with gradient checkpointing
    choose(model, ["2"])
    before = model(**padded_text()).logits
    found = reads_plain(st.export(model, tmp_path / "plain", plan_of(model, "0"), form="plain"))
    assert torch.equal(model(**padded_text()).logits, before)
    assert (found.config.use_cache, found.generation_config.use_cache, model.config.use_cache) == (True, True, False)
    choose(model, ["0"])
    torch.testing.assert_close(found(**padded_text()).logits, model(**padded_text()).logits, rtol=1e-5, atol=1e-5)


def test_lists_of_layers_follow(tmp_path: Path) -> None:
    model = adapted("gemma3_text", st.SkipConfig(block_adapter="none"))
    folder = st.export(model, tmp_path / "plain", plan_of(model, "0", "3"), form="plain")
    config = json.loads((folder / "config.json").read_text())
    assert config["num_hidden_layers"] == 2
    assert config["layer_types"] == ["full_attention", "sliding_attention"]
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        assert "lm_head.weight" not in set(file.keys())  # tied to the embeddings, and written once


def test_a_wrong_list_is_found_before_anything_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the layers that stay are of the same kinds in another order, no key and no size tells."""
    from skiptune.exporting.plain import config_fields

    monkeypatch.setattr(config_fields, "_of_kept", lambda name, value, stack: value[: len(stack.kept)])
    model = adapted("gemma3_text", st.SkipConfig(block_adapter="none"))
    with pytest.raises(st.InputError, match=r"has other settings: model\.layers\.0: self_attn"):
        st.export(model, tmp_path / "plain", plan_of(model, "0", "3"), form="plain")
    assert not (tmp_path / "plain").exists()


def test_both_halves_of_a_layer_are_a_layer(tmp_path: Path) -> None:
    model = adapted("gemma2", st.SkipConfig(block_adapter="none", parts=("attention", "mlp")))
    found = reads_plain(st.export(model, tmp_path / "plain", plan_of(model, "1.attention", "1.mlp"), form="plain"))
    choose(model, ["1.attention", "1.mlp"])
    assert torch.equal(found(**padded_text()).logits, model(**padded_text()).logits)
    with pytest.raises(st.InputError, match=r"2\.mlp: half a layer is skipped"):
        st.export(model, tmp_path / "half", plan_of(model, "1.attention", "1.mlp", "2.mlp"), form="plain")


def test_half_precision_stays(tmp_path: Path) -> None:
    model = adapted("qwen3", st.SkipConfig(block_adapter="lora", lora_rank=2)).to(torch.bfloat16)
    found = reads_plain(st.export(model, tmp_path / "plain", plan_of(model, "1"), form="plain"))
    assert found.dtype == torch.bfloat16


def test_what_cannot_be_plain_is_said(tmp_path: Path) -> None:
    model = st.insert(text_decoder("llama"), st.SkipConfig(block_adapter="lora", lora_rank=2))
    with pytest.raises(st.InputError, match="bottlenecks in the place of skipped blocks cannot be merged"):
        st.export(model, tmp_path / "plain", plan_of(model, "1"), form="plain")
    st.export(model, tmp_path / "plain", plan_of(model), form="plain")  # nothing skipped: none is left
    model.config.some_layers = [1, 2]
    for block in blocks_of(model).values():
        block.skip_adapter = None
    with pytest.raises(st.InputError, match=r"some_layers: \[1, 2\] looks as if it were about single layers"):
        st.export(model, tmp_path / "plain", plan_of(model, "1"), form="plain")
