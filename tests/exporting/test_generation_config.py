"""How a model generates is kept by what is exported and saved: where answers end, and what is never written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import skiptune as st
from skiptune.inserting.selection import blocks_of
from tiny_decoders import text_decoder

FILE = "generation_config.json"
PROMPT = torch.tensor([[5, 6, 7]])


@pytest.fixture
def model() -> Any:
    """It ends at the first token that it would write, and was trained without a cache."""
    made: Any = st.insert(text_decoder("llama"), st.SkipConfig(block_adapter="lora", lora_rank=2)).eval()
    st.choose(made, ["1"])
    first = int(made.generate(PROMPT, max_new_tokens=1, do_sample=False)[0, -1])
    made.generation_config.eos_token_id, made.generation_config.temperature = [first], 0.9
    made.generation_config.suppress_tokens, made.generation_config.use_cache = [8, 9], False
    return made


def plan_of(model: Any) -> st.Plan:
    return st.Plan(model.config.model_type, tuple(blocks_of(model)), st.skipped_blocks(model))


def same(found: Any, model: Any) -> None:
    for name in ("eos_token_id", "temperature", "suppress_tokens"):
        assert getattr(found.generation_config, name) == getattr(model.generation_config, name), name
    assert found.generation_config.use_cache
    assert found.generate(PROMPT, max_new_tokens=4, do_sample=False, temperature=1.0).shape == (1, 4)


def test_every_form_keeps_it(model: Any, tmp_path: Path) -> None:
    text_decoder("llama").save_pretrained(tmp_path / "base")
    for form in ("standalone", "adapters", "plain"):
        folder = st.export(model, tmp_path / form, plan_of(model), form=form, base=str(tmp_path / "base"))
        same(st.load(folder, verify=True), model)
    assert not model.generation_config.use_cache  # the model itself is not changed


def test_what_is_made_of_a_slim_model_keeps_it(model: Any, tmp_path: Path) -> None:
    slim: Any = st.load(st.export(model, tmp_path / "slim", plan_of(model)))
    same(st.load(st.export(slim, tmp_path / "plain", form="plain")), model)
    slim.save_pretrained(tmp_path / "again")
    same(st.load(tmp_path / "again"), model)


def test_a_saved_model_keeps_it(model: Any, tmp_path: Path) -> None:
    model.generation_config.temperature = None  # transformers saves none that it does not use
    model.generation_config.use_cache = True
    model.save_pretrained(tmp_path / "saved")
    same(st.load(tmp_path / "saved"), model)


def test_an_edited_one_is_refused_at_every_load(model: Any, tmp_path: Path) -> None:
    folder = st.export(model, tmp_path / "slim", plan_of(model))
    written = (folder / FILE).read_text()
    (folder / FILE).write_text(json.dumps({**json.loads(written), "eos_token_id": 3}))
    with pytest.raises(st.InputError, match=r"generation_config\.json: differs from what was exported"):
        st.load(folder)
    (folder / FILE).unlink()
    with pytest.raises(st.InputError, match=r"generation_config\.json: differs from what was exported"):
        st.load(folder)


def test_one_that_cannot_be_read_is_named(model: Any, tmp_path: Path) -> None:
    model.generation_config.temperature = None
    model.save_pretrained(tmp_path / "saved")
    (tmp_path / "saved" / FILE).write_text("[")
    with pytest.raises(st.InputError, match=r"generation_config\.json: cannot be read .*edited or damaged\?"):
        st.load(tmp_path / "saved")


def test_models_that_do_not_generate_have_none(make_model: Any, tmp_path: Path) -> None:
    assert not (st.export(st.insert(make_model(), st.SkipConfig()), tmp_path / "slim") / FILE).exists()
