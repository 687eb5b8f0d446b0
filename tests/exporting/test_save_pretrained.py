"""``save_pretrained`` of models with adapters and of slim ones: load reads it, and nothing else does."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.utils import hub as hub_of_transformers

import skiptune as st
from conftest import MakeModel
from every_task import records_of, write_images
from skiptune.exporting import hub

CONFIGS = {
    "bottleneck": st.SkipConfig(init="paper"),
    "lora": st.SkipConfig(block_adapter="lora", lora_rank=2),
    "none": st.SkipConfig(block_adapter="none"),
    "folded": st.SkipConfig(block_adapter="lora", lora_rank=2, skip_adapter="folded", init="paper"),
}


def logits(model: Any, batch: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(**batch).logits
    return found


def trained(model: Any) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    write_images(folder)
    return folder


PAIRS = [
    ("vilt-tiny", "bottleneck"),
    ("vilt-tiny", "none"),
    ("vilt-tiny", "folded"),
    ("meter-tiny", "lora"),
    ("bridgetower-tiny", "bottleneck"),
]


@pytest.mark.parametrize(("family", "adapters"), PAIRS)
def test_what_is_saved_is_what_is_read(family: str, adapters: str, pictures: Path, tmp_path: Path) -> None:
    """Adapted, pruned and slim models: bit for bit, copies and pickles of them, too."""
    records = records_of("vqa", pictures)[:3]
    task = st.Vqa(st.load_processor(family), ["red", "green", "blue"])
    plain = st.load_model(family, task.model_class, **task.model_changes())
    own, batch = type(plain), task.collate(records)
    model: Any = st.insert(plain, CONFIGS[adapters]).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    st.choose(model, list(st.blocks_of(model))[1:2])
    assert isinstance(model, own)
    assert str(type(model)) == str(own)

    model.save_pretrained(tmp_path / "adapted")
    again = st.load(tmp_path / "adapted")
    assert torch.equal(logits(again, batch), logits(model, batch))
    assert trained(again) == trained(model)
    assert st.skipped_blocks(again) == st.skipped_blocks(model)
    with pytest.raises(ValueError, match=r"read this directory with skiptune\.load"):
        own.from_pretrained(tmp_path / "adapted")

    plan = st.Plan(model.config.model_type, tuple(st.blocks_of(model)), st.skipped_blocks(model))
    pruned = st.prune(copy.deepcopy(model), plan)
    pruned.save_pretrained(tmp_path / "pruned")
    assert torch.equal(logits(st.load(tmp_path / "pruned"), batch), logits(pruned, batch))

    slim = st.load(st.export(model, tmp_path / "slim", task=task, extra={"data": "squares"}))
    slim.save_pretrained(tmp_path / "again")
    task.processor.save_pretrained(tmp_path / "again")
    found = st.load(tmp_path / "again", verify=True)
    assert torch.equal(logits(found, batch), logits(slim, batch))
    assert found.manifest.replace(files=None, sha256=None) == slim.manifest.replace(files=None, sha256=None)
    assert st.load_task(tmp_path / "again", found).answers == task.answers
    assert "squares" in (tmp_path / "again" / "README.md").read_text(encoding="utf-8")
    with pytest.raises((OSError, ValueError)):
        own.from_pretrained(tmp_path / "again")
    for given in (model, slim):
        for made in (copy.deepcopy(given), pickle.loads(pickle.dumps(given))):
            assert type(made) is type(given)
            assert torch.equal(logits(made, batch), logits(given, batch))


class _Stop(TrainerCallback):
    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        control.should_training_stop = state.global_step == 2


def test_a_stock_trainer_goes_on_from_its_checkpoints(
    make_model: MakeModel, task: st.Vqa, records: Any, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {
        "per_device_train_batch_size": 4,
        "max_steps": 4,
        "save_steps": 2,
        "report_to": "none",
        "remove_unused_columns": False,
        "use_cpu": True,
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }

    def trainer(folder: str) -> Trainer:
        arguments = TrainingArguments(str(tmp_path / folder), **settings)
        model = make_model(CONFIGS["bottleneck"])
        return Trainer(model, arguments, train_dataset=list(records), data_collator=task.collate)

    whole, stopped, resumed = trainer("whole"), trainer("stopped"), trainer("stopped")
    whole.train()
    stopped.add_callback(_Stop())
    stopped.train()
    resumed.train(resume_from_checkpoint=True)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    found = st.load(tmp_path / "whole" / "checkpoint-4").state_dict()
    assert all(torch.equal(value, found[name]) for name, value in whole.model.state_dict().items())


def test_shards_and_later_changes_of_the_skipped_blocks(make_model: MakeModel, batch: Any, tmp_path: Path) -> None:
    model = make_model(CONFIGS["bottleneck"], noise=0.05)
    plan = st.Plan("vilt", tuple(st.blocks_of(model)), ("1",))
    st.prune(model, plan)
    st.choose(model, ["1", "3"])
    model.save_pretrained(tmp_path / "saved", max_shard_size="50KB")
    assert len(list((tmp_path / "saved").glob("model-*.safetensors"))) > 1
    assert torch.equal(logits(st.load(tmp_path / "saved"), batch), logits(model, batch))
    other = {name: value + 1 for name, value in model.state_dict().items()}
    model.save_pretrained(tmp_path / "other", state_dict=other)
    found = st.load(tmp_path / "other").state_dict()
    assert all(torch.equal(value, found[name]) for name, value in other.items())


def test_what_cannot_be_saved_or_read_is_refused(make_model: MakeModel, batch: Any, tmp_path: Path) -> None:
    model = make_model(CONFIGS["bottleneck"])
    slim = st.load(st.export(model, tmp_path / "slim"))
    make_model().save_pretrained(tmp_path / "plain")
    with pytest.raises(st.InputError, match="holds something else than a slim model"):
        slim.save_pretrained(tmp_path / "plain")
    folder = tmp_path / "adapted"
    model.save_pretrained(folder)
    with pytest.raises(st.InputError, match="stands alone and takes no base"):
        st.load(folder, base="vilt-tiny")
    content = json.loads((folder / "config.json").read_text())
    for field, value, said in (
        ("architecture", "Other", "'Other' is not one of"),
        ("skipped", ["99"], "99"),
        ("skip_config", {"block_width": 5}, "the weights do not fit"),
        ("base_config", {**content["base_config"], "num_attention_heads": 5}, "no model can be built"),
        ("pruned", "yes", "pruned"),
    ):
        (folder / "config.json").write_text(json.dumps({**content, field: value}))
        with pytest.raises(st.InputError, match=f"(?s)adapted.*{said}"):
            st.load(folder)
    (folder / "config.json").write_text(json.dumps(content))
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-9])
    with pytest.raises(st.InputError, match=r"model\.safetensors"):
        st.load(folder)
    slim.requires_grad_(True)  # trained further, it is saved as any model with adapters
    slim.save_pretrained(tmp_path / "further")
    assert torch.equal(logits(st.load(tmp_path / "further"), batch), logits(slim, batch))


def test_the_method_uploads_what_load_reads(
    make_model: MakeModel, batch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model(CONFIGS["bottleneck"])
    slim = st.load(st.export(model, tmp_path / "slim"))
    seen: list[Tensor] = []

    class Api:
        def __init__(self, token: str | None = None) -> None: ...

        def create_repo(self, repo_id: str, **_: Any) -> Any:
            return type("Url", (), {"repo_id": repo_id})()

        def upload_folder(self, folder_path: Path, **_: Any) -> Any:
            seen.append(logits(st.load(folder_path), batch))
            return type("Commit", (), {"commit_url": "https://hub/user/name"})()

    monkeypatch.setattr(hub, "HfApi", Api)
    assert slim.push_to_hub("user/name", private=True) == "https://hub/user/name"
    slim.save_pretrained(tmp_path / "name", push_to_hub=True, repo_id="user/name")
    monkeypatch.setattr(hub_of_transformers, "hf_api", Api)
    card = type("Card", (), {"save": lambda self, path: None})()
    monkeypatch.setattr(hub_of_transformers, "create_and_tag_model_card", lambda *_, **__: card)
    monkeypatch.setattr(
        type(model), "_upload_modified_files", lambda _, folder, *__, **___: Api().upload_folder(folder)
    )
    model.push_to_hub("user/name")
    model.save_pretrained(tmp_path / "user", push_to_hub=True, repo_id="user/name")
    assert [torch.equal(each, logits(slim, batch)) for each in seen] == [True] * 4
