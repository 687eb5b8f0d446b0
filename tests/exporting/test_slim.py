"""Slim models: the same numbers after a round trip, and a loud refusal of everything that does not fit."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel, ViltForQuestionAnswering

import two_streams
from skiptune import InputError, Plan, RunError, SkipConfig, Vqa, blocks_of, choose, export, insert, load, load_model
from skiptune.exporting import export as slim_module
from skiptune.exporting.load_task import load_task
from two_streams import make

BOTTLENECK, LORA = SkipConfig(), SkipConfig(block_adapter="lora", lora_rank=4)
FOLDED = LORA.replace(skip_adapter="folded", init="paper")


def logits(model: PreTrainedModel, batch: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        return model(**batch).logits


def adapted(
    make_model: Callable[..., PreTrainedModel], config: SkipConfig = BOTTLENECK
) -> tuple[PreTrainedModel, Plan]:
    model = make_model(config, noise=0.05)
    plan = Plan("vilt", tuple(blocks_of(model)), ("1", "2"))
    choose(model, plan.skipped)
    return model, plan


def test_round_trip_is_bit_exact_also_under_another_name(make_model, batch, task: Vqa, tmp_path: Path) -> None:
    model, plan = adapted(make_model)
    export(model, tmp_path / "slim", plan, task)
    (tmp_path / "slim").rename(tmp_path / "moved")
    found = load(tmp_path / "moved")
    assert torch.equal(logits(found, batch), logits(model, batch))
    assert sum(p.numel() for p in found.parameters()) < sum(p.numel() for p in model.parameters())
    assert blocks_of(found)["1"].attention is None


def test_round_trip_in_a_fresh_process(make_model, batch, tmp_path: Path) -> None:
    model, plan = adapted(make_model)
    export(model, tmp_path / "slim", plan)
    torch.save(dict(batch), tmp_path / "batch.pt")
    code = (
        "import torch, skiptune, sys; torch.set_num_threads(1); m = skiptune.load(sys.argv[1]);"
        "b = torch.load(sys.argv[2], weights_only=True); torch.save(m(**b).logits.detach(), sys.argv[3])"
    )
    names = [str(tmp_path / name) for name in ("slim", "batch.pt", "out.pt")]
    subprocess.run([sys.executable, "-c", code, *names], check=True)
    assert torch.equal(torch.load(tmp_path / "out.pt", weights_only=True), logits(model, batch))


def test_merged_lora_agrees_to_rounding(make_model, batch, tmp_path: Path) -> None:
    model, plan = adapted(make_model, LORA)
    found = load(export(model, tmp_path / "slim", plan))
    assert not any("lora" in name for name, _ in found.named_parameters())
    torch.testing.assert_close(logits(found, batch), logits(model, batch), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("config", [BOTTLENECK, LORA, FOLDED], ids=["bottleneck", "lora", "folded"])
def test_adapters_form_on_its_base(config, batch, base_folder: Path, task: Vqa, tmp_path: Path) -> None:
    model = insert(load_model(str(base_folder), ViltForQuestionAnswering, **task.model_changes()), config).eval()
    plan = Plan("vilt", tuple(blocks_of(model)), ("0",) if config is not FOLDED else ("1", "2"))
    choose(model, plan.skipped)
    export(model, tmp_path / "slim", plan, form="adapters")
    found = load(tmp_path / "slim")
    torch.testing.assert_close(logits(found, batch), logits(model, batch), rtol=1e-5, atol=1e-5)
    whole = export(model, tmp_path / "whole", plan)
    assert (tmp_path / "slim" / "slim.safetensors").stat().st_size < (whole / "slim.safetensors").stat().st_size


def test_wrong_base_names_both_fingerprints(base_folder: Path, task: Vqa, tmp_path: Path) -> None:
    model = insert(load_model(str(base_folder), ViltForQuestionAnswering, **task.model_changes()))
    export(model, tmp_path / "slim", form="adapters")
    other = load_model("vilt-tiny", ViltForQuestionAnswering, seed=5, **task.model_changes())
    other.save_pretrained(tmp_path / "other")
    content = json.loads((tmp_path / "slim" / "config.json").read_text())
    for verify, name in ((False, "base_sample"), (True, "base_fingerprint")):
        with pytest.raises(InputError, match=rf"expected fingerprint\s+{content[name]}, found [0-9a-f]{{64}}"):
            load(tmp_path / "slim", base=str(tmp_path / "other"), verify=verify)


def test_a_byte_changed_in_the_base_is_found_with_verify(base_folder: Path, task: Vqa, tmp_path: Path) -> None:
    """A quick look sees a few numbers of every weight; exports without it are compared in full."""
    model = insert(load_model(str(base_folder), ViltForQuestionAnswering, **task.model_changes()))
    export(model, tmp_path / "slim", form="adapters")
    other = load_model(str(base_folder), ViltForQuestionAnswering, **task.model_changes())
    with torch.no_grad():
        other.vilt.encoder.layer[0].intermediate.dense.weight[0, 1] += 1
    other.save_pretrained(tmp_path / "other")
    load(tmp_path / "slim", base=str(tmp_path / "other"))
    with pytest.raises(InputError, match="not the base it was trained on"):
        load(tmp_path / "slim", base=str(tmp_path / "other"), verify=True)
    path = tmp_path / "slim" / "config.json"
    content = json.loads(path.read_text())
    del content["base_sample"], content["sha256"]
    path.write_text(json.dumps(content))
    load(tmp_path / "slim")
    with pytest.raises(InputError, match=f"expected fingerprint {content['base_fingerprint']}"):
        load(tmp_path / "slim", base=str(tmp_path / "other"))


def test_an_export_replaces_slim_models_alone(make_model, tmp_path: Path) -> None:
    """Another model's directory has a config.json too."""
    model = adapted(make_model)[0]
    model.save_pretrained(tmp_path / "base")
    before = sorted(tmp_path.glob("base/*"))
    with pytest.raises(InputError, match="holds something else than a slim model; name another directory"):
        export(model, tmp_path / "base")
    assert sorted(tmp_path.glob("base/*")) == before
    export(model, tmp_path / "slim")
    export(model, tmp_path / "slim")


def test_plain_transformers_refuses_a_slim_directory(make_model, tmp_path: Path) -> None:
    export(adapted(make_model)[0], tmp_path / "slim")
    with pytest.raises((OSError, ValueError)):
        ViltForQuestionAnswering.from_pretrained(tmp_path / "slim")


DAMAGES = ("truncate", "longer", "header", "other export", "no weights", "config text", "config field", "no config")


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_refused(damage: str, make_model, tmp_path: Path) -> None:
    folder = export(adapted(make_model)[0], tmp_path / "slim")
    weights, config = folder / "slim.safetensors", folder / "config.json"
    data = bytearray(weights.read_bytes())
    if damage == "truncate":
        weights.write_bytes(data[: len(data) // 2])
    elif damage == "longer":
        weights.write_bytes(data + b"0" * 64)
    elif damage == "header":
        weights.write_bytes(data.replace(b'"format":"pt"', b'"format":"np"'))
    elif damage == "other export":  # same names and sizes, other weights
        export(make_model(BOTTLENECK, noise=0.1), tmp_path / "slim-2", adapted(make_model)[1])
        weights.write_bytes((tmp_path / "slim-2" / "slim.safetensors").read_bytes())
    elif damage == "no weights":
        weights.unlink()
    elif damage == "config text":
        config.write_text(config.read_text()[:-40])
    elif damage == "config field":
        config.write_text(config.read_text().replace('"form": "standalone"', '"form": "other"'))
    else:
        config.unlink()
    with pytest.raises(InputError, match="slim"):
        load(folder)


def test_changed_bytes_are_found_by_reading_all(make_model, batch, tmp_path: Path) -> None:
    model, plan = adapted(make_model)
    folder = export(model, tmp_path / "slim", plan)
    assert torch.equal(logits(load(folder, verify=True), batch), logits(model, batch))
    data = bytearray((folder / "slim.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "slim.safetensors").write_bytes(data)
    load(folder)  # the header is right, and no more is read
    with pytest.raises(InputError, match="SHA-256"):
        load(folder, verify=True)


def test_directories_of_the_first_format_are_read_in_full(make_model, batch, tmp_path: Path) -> None:
    model, plan = adapted(make_model)
    folder = export(model, tmp_path / "slim", plan)
    weights, config = folder / "slim.safetensors", folder / "config.json"
    save_file(load_file(weights), weights, metadata={"format": "pt"})
    content = json.loads(config.read_text())
    del content["header_sha256"], content["sha256"], content["files"]
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    config.write_text(json.dumps({**content, "format": 1, "weights_sha256": digest}))
    assert torch.equal(logits(load(folder), batch), logits(model, batch))
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(InputError, match="SHA-256"):
        load(folder)


def test_skipped_blocks_of_the_base_are_neither_read_nor_checked(
    base_folder: Path, batch, task, tmp_path: Path
) -> None:
    base = shutil.copytree(base_folder, tmp_path / "base")
    model = insert(load_model(str(base), ViltForQuestionAnswering, **task.model_changes())).eval()
    plan = Plan("vilt", tuple(blocks_of(model)), ("1", "2"))
    choose(model, plan.skipped)
    folder = export(model, tmp_path / "slim", plan, form="adapters")
    expected = logits(model, batch)
    weights = load_file(base / "model.safetensors")
    kept = {name: value.clone() for name, value in weights.items() if not name.startswith("vilt.encoder.layer.1.")}
    save_file(kept, base / "model.safetensors", metadata={"format": "pt"})
    assert torch.equal(logits(load(folder), batch), expected)
    kept.pop("vilt.encoder.layer.0.output.dense.weight")
    save_file(kept, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lacks 1 frozen weights .*layer\.0\.output\.dense\.weight"):
        load(folder)


@pytest.mark.parametrize("form", ["standalone", "adapters"])
@pytest.mark.parametrize("family", ["meter", "bridgetower"])
def test_merged_lora_of_two_streams(family: str, form: str, tmp_path: Path) -> None:
    make(family).save_pretrained(tmp_path / "base")
    model = insert(load_model(str(tmp_path / "base"), "vqa"), two_streams.LORA)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    unmerged, folder = model.eval(), tmp_path / "slim"
    choose(unmerged, ["text.0", "image.2"])
    export(unmerged, folder, form=form)
    found, inputs = load(folder), two_streams.make_batch()
    assert not any("lora" in name for name, _ in found.named_parameters())
    expected, ours = logits(unmerged, inputs), logits(found, inputs)
    assert not torch.allclose(expected, logits(make(family), inputs), rtol=1e-2), "LoRA did nothing"
    assert (ours - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.slow
def test_loading_and_predicting_need_no_code_of_training(make_model, task: Vqa, data_folder, tmp_path: Path) -> None:
    for config, form in ((BOTTLENECK, "standalone"), (LORA, "adapters")):
        model, plan = adapted(make_model, config)
        export(model, tmp_path / form, plan, task, form=form, base="vilt-tiny")
        code = (
            "import sys, skiptune as st; m = st.load(sys.argv[1]); t = st.load_task(sys.argv[1], m);"
            "print(st.predict(m, t, sys.argv[2], 'colour?')[0]['answer']); print(*sys.modules, sep='\\n')"
        )
        image = str(data_folder / "images" / "0.png")
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / form), image], check=True, capture_output=True, text=True
        )
        answer, *modules = done.stdout.splitlines()
        assert answer in task.answers
        ours = [f"skiptune.{name}" for name in ("training", "searching", "training_bar", "run", "fitting", "plots")]
        others = ["transformers.trainer", "transformers.training_args", "peft", "matplotlib", "datasets"]
        assert not {*ours, *others} & set(modules)


def test_full_disk_keeps_the_earlier_export(make_model, batch, tmp_path: Path, monkeypatch) -> None:
    model, plan = adapted(make_model)
    export(model, tmp_path / "slim", plan)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(slim_module, "write_tensors", full)
    with pytest.raises(RunError, match="could not be written"):
        export(model, tmp_path / "slim", plan)
    assert torch.equal(logits(load(tmp_path / "slim"), batch), logits(model, batch))
    assert [path.name for path in tmp_path.iterdir()] == ["slim"]


def test_foreign_directory_is_not_replaced(make_model, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("important")
    with pytest.raises(InputError, match="something else"):
        export(adapted(make_model)[0], tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "important"


BESIDE = ("processor_config.json", "tokenizer.json", "tokenizer_config.json", "config.json")


@pytest.mark.parametrize("name", [*BESIDE, "added_tokens.json", "preprocessor_config.json"])
def test_a_changed_file_beside_the_weights_is_not_obeyed(name: str, make_model, task: Vqa, tmp_path: Path) -> None:
    model, plan = adapted(make_model)
    folder = export(model, tmp_path / "slim", plan, task)
    (folder / "README.md").write_text("notes")
    (folder / "notes.json").write_text("{}")
    found = load(folder, verify=True)
    load_task(folder, found)
    path = folder / name
    if name in BESIDE:
        text = path.read_text(encoding="utf-8")
        changes = {"processor_config.json": ("0.5", "0.6"), "config.json": ('"2"', '"9"')}
        old, new = changes.get(name, ("true", "false"))
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
    else:
        path.write_text("{}")
    with pytest.raises(InputError, match=rf"{name}: .*(differs from what was exported|would be obeyed; remove it)"):
        load_task(folder, found)
    with pytest.raises(InputError, match="slim"):
        load(folder, verify=True)


def test_the_order_of_answers_is_under_the_seal(make_model, task: Vqa, tmp_path: Path) -> None:
    folder = export(adapted(make_model)[0], tmp_path / "slim", task=task)
    content = json.loads((folder / "config.json").read_text())
    content["task"]["answers"].reverse()
    (folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"config.json: differs from what was exported \(SHA-256\)"):
        load(folder)
    annotated = export(adapted(make_model)[0], tmp_path / "slim", task=task)
    slim_module.annotate(annotated, {"note": 1})
    assert load(annotated).manifest.extra["note"] == 1
