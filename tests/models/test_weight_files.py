"""Damaged files of weights are refused when they are read, by a sentence that names the file and the weight."""

from __future__ import annotations

import json
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from skiptune import InputError, SkipConfig, export, insert, load, load_model
from skiptune.models.weight_files import weight_files

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
KEY = "vilt.encoder.layer.0.output.dense.weight"


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights") / "model"
    load_model("vilt-tiny", "vqa", num_labels=2).save_pretrained(folder)
    return folder


@pytest.fixture
def copied(model_folder: Path, tmp_path: Path) -> tuple[Path, dict[str, Tensor]]:
    """A copy of the directory without its weights, and the weights."""
    folder = shutil.copytree(model_folder, tmp_path / "model")
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    return folder, state


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as refused:
        load_model(str(folder), "vqa", num_labels=2)
    return str(refused.value)


def header_of(entries: dict[str, Any], length: int | None = None) -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + bytes(64)


ENTRY = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
FILES = {
    "pointer": (POINTER, "a pointer of Git LFS"),
    "empty": (b"", "an empty file"),
    "text": (b"once upon a time", "truncated"),
    "absurd header": (header_of({"a": ENTRY}, 2**62), "truncated"),
    "overlap": (header_of({"a": ENTRY, "b": {**ENTRY, "data_offsets": [8, 24]}}), "truncated"),
    "behind the end": (header_of({"a": {**ENTRY, "shape": [4000], "data_offsets": [0, 16000]}}), "truncated"),
}


@pytest.mark.parametrize(("content", "said"), FILES.values(), ids=FILES)
@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_files_that_hold_no_weights(name: str, content: bytes, said: str, copied: Any) -> None:
    (copied[0] / name).write_bytes(content)
    assert str(copied[0] / name) in refusal(copied[0])
    assert said in refusal(copied[0])


def test_a_pickled_state_dictionary_is_read_and_nothing_else(copied: Any, tmp_path: Path) -> None:
    folder, state = copied
    path = folder / "pytorch_model.bin"
    torch.save(state, path)
    assert torch.equal(load_model(str(folder), "vqa", num_labels=2).state_dict()[KEY], state[KEY])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert f"{path}: truncated" in refusal(folder)
    for content, said in (
        ({"weights": state}, f"{path}: not a state dictionary; no tensors: weights"),
        ([1, 2], f"{path}: no weights in it"),
        ({}, f"{path}: no weights in it"),
    ):
        torch.save(content, path)
        assert said in refusal(folder)
    ran = tmp_path / "ran"
    for save in (torch.save, lambda value, where: where.write_bytes(pickle.dumps(value))):
        save({"a": Evil(ran)}, path)
        assert "holds more than tensors and plain containers" in refusal(folder) or "not a checkpoint" in refusal(
            folder
        )
    assert not ran.exists()


class Evil:
    """Its pickle makes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda value: value.to(torch.int32), "numbers of kind"),
        (lambda value: value.to(torch.complex64), "numbers of kind"),
        (lambda value: value.to(torch.float8_e4m3fn), "numbers of kind"),
        (lambda value: value.index_fill(0, torch.tensor([3]), float("nan")), "NaN or infinity in 1 weights: "),
        (lambda value: value.index_fill(1, torch.tensor([0]), float("inf")), "NaN or infinity in 1 weights: "),
    ],
    ids=["int", "complex", "float8", "nan", "inf"],
)
def test_numbers_that_are_no_weights(name: str, change: Any, said: str, copied: Any) -> None:
    folder, state = copied
    state[KEY] = change(state[KEY])
    save_file(state, folder / name) if name.endswith("safetensors") else torch.save(state, folder / name)
    message = refusal(folder)
    assert said in message
    assert KEY in message
    assert str(folder) in message


def test_half_precision_and_tables_of_positions_are_fine(copied: Any) -> None:
    folder, state = copied
    positions = {"vilt.embeddings.text_embeddings.position_ids": torch.arange(40)[None]}
    save_file({**{key: value.half() for key, value in state.items()}, **positions}, folder / "model.safetensors")
    assert load_model(str(folder), "vqa", num_labels=2).dtype == torch.float32


def test_weights_in_parts(copied: Any) -> None:
    folder, state = copied
    names = list(state)
    parts = {"one.safetensors": names[:9], "two.safetensors": names[9:]}
    for part, keys in parts.items():
        save_file({key: state[key] for key in keys}, folder / part)
    index = folder / "model.safetensors.index.json"
    weights = {key: part for part, keys in parts.items() for key in keys}
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weights}))
    assert torch.equal(load_model(str(folder), "vqa", num_labels=2).state_dict()[KEY], state[KEY])
    assert [path.name for path in weight_files(folder)] == sorted(parts)
    outside = folder.parent / "outside.safetensors"
    save_file({KEY: state[KEY]}, outside)
    for name in (f"../{outside.name}", str(outside), "..\\outside.safetensors", "C:outside.safetensors", ".."):
        index.write_text(json.dumps({"weight_map": {**weights, KEY: name}}))
        assert "is not a file of this directory; edited?" in refusal(folder)
    for content in ({}, {"weight_map": []}, {"weight_map": {KEY: 3}}, [], {"weight_map": {}}):
        index.write_text(json.dumps(content))
        assert f"{index}: no mapping 'weight_map'" in refusal(folder)
    index.write_text(json.dumps({"weight_map": weights}))
    assert f"{index}: no mapping 'metadata' in it" in refusal(folder)
    index.write_text(json.dumps({"metadata": {}, "weight_map": weights}))
    (folder / "two.safetensors").write_bytes(POINTER)
    assert f"{folder / 'two.safetensors'}: a pointer of Git LFS" in refusal(folder)
    (folder / "two.safetensors").unlink()
    assert "two.safetensors: no such file, and model.safetensors.index.json names it" in refusal(folder)
    index.unlink()
    assert "no weights in this directory; expected model.safetensors or pytorch_model.bin" in refusal(folder)


def test_a_slim_model_refuses_a_damaged_base(model_folder: Path, tmp_path: Path) -> None:
    base = shutil.copytree(model_folder, tmp_path / "base")
    model = insert(load_model(str(base), "vqa", quiet=True, num_labels=2), SkipConfig())
    slim = export(model, tmp_path / "slim", form="adapters")
    state = load_file(base / "model.safetensors")
    state[KEY][0, 0] = float("nan")
    save_file(state, base / "model.safetensors")
    with pytest.raises(InputError, match=rf"slim model .*NaN or infinity in 1 weights: {KEY}"):
        load(slim)
    (base / "model.safetensors").write_bytes(POINTER)
    with pytest.raises(InputError, match="a pointer of Git LFS"):
        load(slim)


def test_layers_beyond_the_configuration_are_told(
    copied: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, state = copied
    save_file(state, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    load_model(str(folder), "vqa", num_labels=2)
    assert "leaves out 1 of the layers in its weights: vilt.encoder.layer.3" in " ".join(
        capsys.readouterr().err.split()
    )
