"""Plain checkpoints of ViLT, CLIP, SigLIP and BridgeTower, and how SkipTune itself reads them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import BridgeTowerModel, CLIPModel, SiglipForImageClassification, ViltForQuestionAnswering

import skiptune as st
from skiptune import InputError
from skiptune.inserting.selection import blocks_of, choose

LORA = st.SkipConfig(block_adapter="lora", lora_rank=2, skip_adapter="none")


def adapted(model: Any, config: st.SkipConfig = LORA) -> Any:
    """The model with adapters that do something."""
    st.insert(model, config)
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.02 * torch.randn(parameter.shape, generator=generator)
    return model.eval()


def plan_of(model: Any, *skipped: str) -> st.Plan:
    return st.Plan(model.config.model_type, tuple(blocks_of(model)), skipped)


@pytest.fixture
def vilt(make_model: Any) -> Any:
    return adapted(make_model(), LORA.replace(skip_adapter="folded", skip_width=4))


@pytest.fixture
def folder(vilt: Any, task: st.Vqa, tmp_path: Path) -> Path:
    return st.export(vilt, tmp_path / "plain", plan_of(vilt, "0", "2"), task, form="plain")


def test_a_vilt_answers_the_same_in_transformers(vilt: Any, folder: Path, batch: Any) -> None:
    found, report = ViltForQuestionAnswering.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values())
    assert found.config.id2label == vilt.config.id2label
    choose(vilt, ["0", "2"])
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    torch.testing.assert_close(found.eval()(**inputs).logits, vilt(**inputs).logits, rtol=1e-5, atol=1e-5)
    processor = transformers.AutoProcessor.from_pretrained(folder)
    assert type(processor).__name__ == "ViltProcessor"


def test_skiptune_reads_it_with_its_task(vilt: Any, folder: Path, records: Any, data_folder: Path, call: Any) -> None:
    slim = st.load(folder)
    assert type(slim) is ViltForQuestionAnswering
    task = st.load_task(folder, slim)
    choose(vilt, ["0", "2"])
    wanted = st.predict(vilt, task, records[0].image, records[0].text)
    assert st.pipeline(folder)(records[0].image, records[0].text)[0].answer == wanted[0].answer
    code, out, _ = call("predict", folder, records[0].image, records[0].text)
    assert code == 0
    assert wanted[0].answer in out
    code, out, _ = call("evaluate", folder, "--data", data_folder / "test.jsonl", "--images", data_folder / "images")
    assert (code, "on 12 questions" in out) == (0, True)
    code, _, err = call("export", folder, folder.parent / "again", "--form", "plain")
    assert (code, "is a plain checkpoint already" in err) == (2, True)


def test_files_that_were_changed_are_told(folder: Path) -> None:
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\0\0\0\1")
    st.load(folder)
    with pytest.raises(InputError, match=r"model\.safetensors: differs from what was exported"):
        st.load(folder, verify=True)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 0.5}))
    with pytest.raises(InputError, match=r"config\.json: differs from what was exported"):
        st.load(folder)


def test_it_replaces_exports_alone(vilt: Any, folder: Path, tmp_path: Path) -> None:
    st.export(vilt, folder, plan_of(vilt, "1"), form="plain")
    assert json.loads((folder / "skiptune.json").read_text())["plan"]["skipped"] == ["1"]
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        st.export(vilt, folder, plan_of(vilt, "1"), form="plain")
    for name in ("skiptune.json", "config.json"):  # of another program, which has heard of ours
        (folder / name).write_text(json.dumps({"kind": "other", "reads": ["plain-checkpoint", "skiptune"]}))
        with pytest.raises(InputError, match="holds something else"):
            st.export(vilt, folder, plan_of(vilt, "1"), form="plain")


def test_a_slim_model_becomes_plain(vilt: Any, task: st.Vqa, tmp_path: Path, call: Any) -> None:
    slim = st.export(vilt, tmp_path / "slim", plan_of(vilt, "1"), task)
    code, out, err = call("export", slim, tmp_path / "plain", "--form", "plain")
    assert (code, "MiB" in out, err) == (0, True, "")
    found = ViltForQuestionAnswering.from_pretrained(tmp_path / "plain")
    assert found.config.num_hidden_layers == vilt.config.num_hidden_layers - 1
    bottlenecks = st.export(adapted_with_bottlenecks(task), tmp_path / "other", task=task)
    code, _, err = call("export", bottlenecks, tmp_path / "never", "--form", "plain")
    assert code == 2
    assert "adapters beside kept blocks cannot be merged into weights; adapters: {block_adapter: lora" in err


def adapted_with_bottlenecks(task: st.Vqa) -> Any:
    return st.insert(st.load_model("vilt-tiny", task.model_class, **task.model_changes()))


@pytest.mark.parametrize(
    ("name", "kind", "read"),
    [
        ("clip-tiny", "retrieval", "CLIPModel"),
        ("clip-tiny", CLIPModel, "CLIPModel"),
        ("siglip-tiny", SiglipForImageClassification, "SiglipForImageClassification"),
        ("vilt-tiny", "reasoning", "ViltForImagesAndTextClassification"),
        ("vilt-tiny", transformers.ViltForImagesAndTextClassification, "ViltForImagesAndTextClassification"),
        ("vilt-tiny", "retrieval", "ViltForImageAndTextRetrieval"),
        ("vilt-tiny", transformers.ViltModel, "ViltModel"),
    ],
)
def test_other_heads(name: str, kind: Any, read: str, tmp_path: Path) -> None:
    """Outputs are compared when it is exported."""
    changes = {"num_images": 2, "modality_type_vocab_size": 3} if read == "ViltForImagesAndTextClassification" else {}
    model = adapted(st.load_model(name, kind, **changes))
    names = list(blocks_of(model))
    folder = st.export(model, tmp_path / "plain", plan_of(model, names[0], names[-1]), form="plain")
    assert json.loads((folder / "config.json").read_text())["architectures"] == [read]
    found, report = getattr(transformers, read).from_pretrained(folder, output_loading_info=True)
    assert not any(report.values())
    assert sum(p.numel() for p in found.parameters()) < sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("name", "task", "told"),
    [
        ("clip-tiny", "vqa", "CLIPModel has no place for classifier.*of the tasks, retrieval can"),
        ("vilt-tiny", "entailment", "of the tasks, vqa, reasoning, retrieval can"),
        ("meter-tiny", "vqa", "none there has its weights; use form='standalone'"),
    ],
)
def test_heads_that_transformers_has_not(name: str, task: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=told):
        st.export(adapted(st.load_model(name, task)), tmp_path / "plain", form="plain")


def test_bridgetower_loses_layers_below_its_fusion(tmp_path: Path) -> None:
    model = adapted(st.load_model("bridgetower-tiny", BridgeTowerModel), LORA.replace(scope="global"))
    folder = st.export(model, tmp_path / "plain", plan_of(model, "roberta.0", "clip.0"), form="plain")
    assert (
        len(BridgeTowerModel.from_pretrained(folder).text_model.encoder.layer)
        == len(model.text_model.encoder.layer) - 1
    )
    for skipped, told in {
        ("text.0", "image.0"): "text.0, image.0: fusion layers are joined with layers of the encoders by position",
        ("roberta.0",): "1 layers of roberta are skipped and 0 of clip",
    }.items():
        with pytest.raises(InputError, match=told):
            st.export(model, tmp_path / "never", plan_of(model, *skipped), form="plain")
