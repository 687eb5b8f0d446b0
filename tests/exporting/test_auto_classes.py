"""transformers' auto classes read slim models once SkipTune is imported, and say that they cannot without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForVisualQuestionAnswering, AutoProcessor

import skiptune as st
from conftest import MakeModel
from skiptune.exporting import hub

FIXTURE = Path(__file__).parents[1] / "fixtures" / "0.3" / "run" / "slim"


def test_auto_classes_read_what_load_reads(make_model: MakeModel, task: st.Vqa, batch: Any, tmp_path: Path) -> None:
    model = make_model(st.SkipConfig(), noise=0.05)
    st.choose(model, ["1"])
    st.export(model, tmp_path / "slim", task=task)
    model.save_pretrained(tmp_path / "adapted")
    with torch.no_grad():
        wanted = model(**batch).logits
        for name, kind in (("slim", "skiptune-slim"), ("adapted", "skiptune-adapted")):
            config = AutoConfig.from_pretrained(tmp_path / name)
            assert (config.model_type, config.architectures) == (kind, ["ViltForQuestionAnswering"])
            assert list(config.id2label.values()) == list(task.answers)
            for auto in (AutoModel, AutoModelForVisualQuestionAnswering):
                assert torch.equal(auto.from_pretrained(tmp_path / name)(**batch).logits, wanted)
            with pytest.raises(st.InputError, match="read it by from_pretrained"):
                AutoModel.from_config(config)
    half, said = AutoModel.from_pretrained(
        tmp_path / "slim", dtype=torch.bfloat16, device_map="cpu", output_loading_info=True
    )
    assert (half.dtype, said["missing_keys"]) == (torch.bfloat16, set())
    assert isinstance(AutoProcessor.from_pretrained(tmp_path / "slim"), type(task.processor))
    (tmp_path / "slim" / "slim.safetensors").write_bytes(b"")
    with pytest.raises(st.InputError, match="slim"):
        AutoModel.from_pretrained(tmp_path / "slim")


def test_a_class_for_questions_refuses_other_tasks(tmp_path: Path) -> None:
    model = st.insert(st.load_model("vilt-tiny", "entailment"))
    st.export(model, tmp_path / "slim")
    AutoModel.from_pretrained(tmp_path / "slim")
    with pytest.raises(st.InputError, match="ViltForVisualEntailment is no model for vqa; AutoModel loads any"):
        AutoModelForVisualQuestionAnswering.from_pretrained(tmp_path / "slim")


def test_a_revision_of_the_hub_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(hub, "snapshot_download", lambda *_, **settings: asked.append(settings) or str(FIXTURE))
    assert hub.local_folder("user/name", "v1") == FIXTURE
    assert asked[0]["revision"] == "v1"


AFTER = """
from transformers import AutoModel
try:
    AutoModel.from_pretrained(folder)
except ValueError as error:
    assert "model type `skiptune-slim`" in str(error), error
else:
    raise SystemExit("read without SkipTune")
import skiptune
"""
BEFORE = """
import sys, skiptune
assert "transformers" not in sys.modules
from transformers import AutoConfig
assert AutoConfig.from_pretrained(folder).model_type == "skiptune-slim"
from transformers import AutoModel
assert not any("after_import" in type(finder).__module__ for finder in sys.meta_path)
"""


@pytest.mark.parametrize("imports", [AFTER, pytest.param(BEFORE, marks=pytest.mark.slow)])
def test_whatever_is_imported_first(imports: str) -> None:
    code = f"folder = {str(FIXTURE)!r}\n{imports}\nprint(type(AutoModel.from_pretrained(folder)).__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "ViltForQuestionAnswering", done.stderr
