"""Plain checkpoints of decoders: transformers' class reads all of them, and computes what the skipped model does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, LlamaForQuestionAnswering

import skiptune as st
from skiptune.exporting.plain.stacks import layers_of
from skiptune.inserting.selection import blocks_of, choose
from skiptune.models.construction import construction
from tiny_decoders import (
    IMAGE,
    TEXT,
    VIDEO,
    VLM,
    padded_pairs,
    padded_text,
    roughened,
    text_config,
    text_decoder,
    vlm,
    vlm_config,
)

NONE = st.SkipConfig(block_adapter="none", scope="global")
LORA = st.SkipConfig(block_adapter="lora", lora_rank=2, skip_adapter="none")


def adapted(given: Any, config: st.SkipConfig = LORA) -> Any:
    """A model, or the text decoder of a name, with adapters that do something."""
    model = st.insert(text_decoder(given) if isinstance(given, str) else given, config).eval()
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


def same_in_transformers(model: Any, inputs: Any, folder: Path, *skipped: str) -> Any:
    """Whether logits are the same bit for bit, and generated tokens, with a cache, are the same."""
    plain = st.export(model, folder, plan_of(model, *skipped), form="plain")
    found, report = type(model).plain_class.from_pretrained(plain, output_loading_info=True)
    assert not any(report.values()), report
    choose(model, skipped)
    assert torch.equal(found(**inputs).logits, model(**inputs).logits), skipped
    settings = {"max_new_tokens": 3, "min_new_tokens": 3, "do_sample": False, "suppress_tokens": [IMAGE, VIDEO]}
    assert torch.equal(found.generate(**inputs, **settings), model.generate(**inputs, **settings)), skipped
    return found


@pytest.mark.parametrize("name", TEXT)
def test_language_models(name: str, tmp_path: Path) -> None:
    model = adapted(name, NONE.replace(scope="fusion"))
    same_in_transformers(model, padded_text(), tmp_path / "plain", "0", "3")


@pytest.mark.parametrize("name", VLM)
def test_vision_language_models(name: str, tmp_path: Path) -> None:
    """Without the first and last layers of the decoder, and the last one of the tower."""
    ends = ("3",) if name == "qwen3_vl" else ("0", "3")
    model = adapted(vlm(name), NONE)
    found = same_in_transformers(model, padded_pairs(name), tmp_path / "plain", *ends, "image.2")
    assert layers_of(found.config.vision_config) == 2


def test_qwen3_vl_feeds_the_decoder_from_its_tower(tmp_path: Path) -> None:
    """The tower's outputs go to the decoder's first layers; that of a skipped layer is the one's before."""
    with construction(seed=0):
        config = vlm_config("qwen3_vl")
        config.vision_config.deepstack_visual_indexes = [0, 2]
        model = roughened(AutoModelForImageTextToText.from_config(config).eval())
    model = adapted(model, NONE)
    found = same_in_transformers(model, padded_pairs("qwen3_vl"), tmp_path / "plain", "image.2")
    assert list(found.config.vision_config.deepstack_visual_indexes) == [0, 1]
    for skipped, told in {
        "1": "feeds the first layers by their places",
        "image.0": "outputs of layers are read",
    }.items():
        with pytest.raises(st.InputError, match=told):
            st.export(model, tmp_path / "never", plan_of(model, skipped), form="plain")


def test_merged_lora_agrees_to_rounding_and_the_model_stays(tmp_path: Path) -> None:
    model = adapted("llama")
    model.config.use_cache = False  # as for a training with gradient checkpointing
    choose(model, ["2"])
    before = model(**padded_text()).logits
    found = reads_plain(st.export(model, tmp_path / "plain", plan_of(model, "0"), form="plain"))
    assert torch.equal(model(**padded_text()).logits, before)
    assert (found.config.use_cache, found.generation_config.use_cache, model.config.use_cache) == (True, True, False)
    choose(model, ["0"])
    torch.testing.assert_close(found(**padded_text()).logits, model(**padded_text()).logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["gemma3_text", "paligemma2"])
def test_folded_skip_adapters_agree_to_rounding(name: str, tmp_path: Path) -> None:
    given, inputs = (name, padded_text()) if name in TEXT else (vlm(name), padded_pairs(name))
    model = adapted(given, LORA.replace(skip_adapter="folded", skip_width=2))
    folder = st.export(model, tmp_path / "plain", plan_of(model, "1", "2"), form="plain")
    choose(model, ["1", "2"])
    found = type(model).plain_class.from_pretrained(folder).eval()
    torch.testing.assert_close(found(**inputs).logits, model(**inputs).logits, rtol=1e-5, atol=1e-5)


def test_lists_of_layers_follow(tmp_path: Path) -> None:
    model = adapted("gemma3_text", NONE.replace(scope="fusion"))
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
    model = adapted("gemma3_text", NONE.replace(scope="fusion"))
    with pytest.raises(st.InputError, match=r"has other settings: model\.layers\.0: self_attn"):
        st.export(model, tmp_path / "plain", plan_of(model, "0", "3"), form="plain")
    assert not (tmp_path / "plain").exists()


def test_both_halves_of_a_layer_are_a_layer(tmp_path: Path) -> None:
    model = adapted("gemma2", NONE.replace(scope="fusion", parts=("attention", "mlp")))
    found = reads_plain(st.export(model, tmp_path / "plain", plan_of(model, "1.attention", "1.mlp"), form="plain"))
    choose(model, ["1.attention", "1.mlp"])
    assert torch.equal(found(**padded_text()).logits, model(**padded_text()).logits)
    with pytest.raises(st.InputError, match=r"2\.mlp: half a layer is skipped"):
        st.export(model, tmp_path / "half", plan_of(model, "1.attention", "1.mlp", "2.mlp"), form="plain")


def test_half_precision_stays(tmp_path: Path) -> None:
    model = adapted("qwen3").to(torch.bfloat16)
    found = reads_plain(st.export(model, tmp_path / "plain", plan_of(model, "1"), form="plain"))
    assert found.dtype == torch.bfloat16


def test_what_cannot_be_plain_is_said(tmp_path: Path) -> None:
    model = st.insert(
        text_decoder("llama"), st.SkipConfig(block_adapter="lora", lora_rank=2, skip_adapter="bottleneck")
    )
    with pytest.raises(st.InputError, match="adapters in the place of skipped blocks cannot be merged"):
        st.export(model, tmp_path / "plain", plan_of(model, "1"), form="plain")
    st.export(model, tmp_path / "plain", plan_of(model), form="plain")  # nothing skipped: none is left
    model = adapted("llama")
    model.config.some_layers = [1, 2]
    with pytest.raises(st.InputError, match=r"some_layers: \[1, 2\] looks as if it were about single layers"):
        st.export(model, tmp_path / "plain", plan_of(model, "1"), form="plain")


def test_files_of_the_base_stay_as_they_are(tmp_path: Path) -> None:
    """Settings of sampling without sampling, as of Vicuna, which transformers reads and refuses to write; named chat
    templates."""
    base = tmp_path / "base"
    text_decoder("llama").save_pretrained(base)
    written = json.loads((base / "generation_config.json").read_text())
    (base / "generation_config.json").write_text(json.dumps({**written, "temperature": 0.9, "top_p": 0.6}))
    (base / "additional_chat_templates").mkdir()
    (base / "additional_chat_templates" / "tools.jinja").write_text("{{ messages }}")
    model = adapted(AutoModelForCausalLM.from_pretrained(base))
    folder = st.export(model, tmp_path / "plain", plan_of(model, "1"), form="plain")
    generation = reads_plain(folder).generation_config
    assert (generation.temperature, generation.top_p, generation.use_cache) == (0.9, 0.6, True)
    name = "additional_chat_templates/tools.jinja"
    assert (folder / name).read_bytes() == (base / name).read_bytes()
    assert name in json.loads((folder / "skiptune.json").read_text())["files"]
    st.load(folder, verify=True)


def test_models_for_extractive_question_answering(tmp_path: Path) -> None:
    model = adapted(LlamaForQuestionAnswering(text_config("llama")))
    folder = st.export(model, tmp_path / "plain", plan_of(model, "1"), form="plain")
    assert LlamaForQuestionAnswering.from_pretrained(folder).config.num_hidden_layers == 3


def test_models_in_other_models_are_named(tmp_path: Path) -> None:
    import peft

    given = adapted("llama", NONE.replace(scope="fusion"))
    with pytest.warns(FutureWarning, match="is_gradient_checkpointing"):  # of PEFT's, about transformers
        wrapped = peft.get_peft_model(given, peft.LoraConfig(target_modules=["q_proj"]))
    for form in ("standalone", "plain"):
        with pytest.raises(
            st.InputError, match=r"model: it is inside of PeftModel; export model\.merge_and_unload\(\)"
        ):
            st.export(wrapped, tmp_path / "never", form=form)
    inner = wrapped.merge_and_unload()
    choose(inner, ["1"])
    assert reads_plain(st.export(inner, tmp_path / "plain", form="plain")).config.num_hidden_layers == 3
    own = torch.nn.Module()
    own.config, own.backbone = inner.config, inner
    with pytest.raises(st.InputError, match="no layers of a language model in language_model, text_model, model"):
        st.insert(own, LORA)
    with pytest.raises(st.InputError, match="model_class: AutoModelForCausalLM is not the class of a model"):
        st.load_model("smollm2-135m", AutoModelForCausalLM)  # type: ignore[arg-type]
