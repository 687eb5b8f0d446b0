"""A training goes on from checkpoints that are as they were written; a full disk names the file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import nn

from skiptune import (
    Experiment,
    InputError,
    Plan,
    Record,
    RunError,
    SkipConfig,
    TokenSchedule,
    TrainConfig,
    TrainingLog,
    Vqa,
    blocks_of,
    fit,
)
from skiptune.core.digests import SUMS
from skiptune.core.process import is_disk_failure
from skiptune.training import checkpoints
from skiptune.training.checkpoints import newest_checkpoint
from skiptune.training.trained_state import trained_state

CONFIG = TrainConfig(max_steps=4, batch_size=4, save_steps=1)
FILES = ("trained.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", SUMS)


def train(make_model: Callable[..., Any], task: Vqa, records: list[Record], folder: Path) -> nn.Module:
    model: nn.Module = make_model(SkipConfig())
    fit(model, Experiment(task, records[:16], training=CONFIG), folder=folder)
    return model


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {"folder": tmp_path_factory.mktemp("checkpoints") / "whole"}


@pytest.fixture
def trained(kept: dict[str, Any], make_model: Callable[..., Any], task: Vqa, records: list[Record]) -> dict[str, Any]:
    """The folder of a whole training, with its last two checkpoints, and its weights; trained once."""
    if "weights" not in kept:
        kept["weights"] = trained_state(train(make_model, task, records, kept["folder"]))
    return kept


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", FILES)
def test_a_bit_is_missed_nowhere(
    name: str, trained: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(trained["folder"], tmp_path / "copy")
    assert newest_checkpoint(folder, CONFIG) == str(folder / "checkpoint-4")
    flip(folder / "checkpoint-4" / name)
    assert newest_checkpoint(folder, CONFIG) == str(folder / "checkpoint-3")
    said = "".join(capsys.readouterr().err.split())
    assert f"checkpoint-4/{name}:differsfromwhatwaswritten(SHA-256);goingonfromcheckpoint-3instead" in said
    flip(folder / "checkpoint-3" / name)
    with pytest.raises(InputError, match=rf"checkpoint-4/{name}: differs .* Remove {folder} to start this training ov"):
        newest_checkpoint(folder, CONFIG)


def test_from_an_earlier_checkpoint_a_training_ends_the_same(
    trained: dict[str, Any], make_model: Callable[..., Any], task: Vqa, records: list[Record], tmp_path: Path
) -> None:
    folder = shutil.copytree(trained["folder"], tmp_path / "copy")
    flip(folder / "checkpoint-4" / "optimizer.pt")
    found = trained_state(train(make_model, task, records, folder))
    assert all(torch.equal(found[name], value) for name, value in trained["weights"].items())
    assert newest_checkpoint(folder, CONFIG) == str(folder / "checkpoint-4")


def test_one_that_is_not_finished_is_passed_over(trained: dict[str, Any], tmp_path: Path) -> None:
    folder = shutil.copytree(trained["folder"], tmp_path / "copy")
    (folder / "checkpoint-4" / SUMS).write_bytes(b"")
    assert newest_checkpoint(folder, CONFIG) == str(folder / "checkpoint-3")
    (folder / "checkpoint-4" / SUMS).unlink()  # as version 0.3 wrote them
    assert newest_checkpoint(folder, CONFIG) == str(folder / "checkpoint-4")
    (folder / "checkpoint-4" / "trainer_state.json").write_text(json.dumps({"global_step": 3}))
    assert newest_checkpoint(folder, CONFIG) == str(folder / "checkpoint-3")


@pytest.mark.parametrize(("call", "name"), [(5, "scheduler.pt"), (0, "trained.safetensors")])
def test_a_full_disk_names_the_file(
    call: int,
    name: str,
    make_model: Callable[..., Any],
    task: Vqa,
    records: list[Record],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the second checkpoint; libraries raise exceptions of their own, which name no file."""
    save, calls = torch.save, list[str]()

    def full(content: object, path: str) -> None:
        calls.append(path)
        save(content, path)
        if len(calls) == call:
            raise RuntimeError("[enforce fail] . PytorchStreamWriter failed writing file data/0: file write failed")

    def full_of_tensors(state: Any, path: Path, metadata: dict[str, str]) -> None:
        if not call and calls:
            raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
        save_file(state, path, metadata)

    monkeypatch.setattr(torch, "save", full)
    monkeypatch.setattr(checkpoints, "save_file", full_of_tensors)
    with pytest.raises(RunError) as failure:
        train(make_model, task, records, tmp_path)
    assert str(failure.value).startswith(f"{tmp_path / 'checkpoint-2' / name}: could not be written (")
    assert str(failure.value).endswith("; the checkpoints before are unchanged")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-1"]
    assert newest_checkpoint(tmp_path, CONFIG) == str(tmp_path / "checkpoint-1")


def test_torch_on_a_full_disk_is_told_from_other_failures(tmp_path: Path) -> None:
    """What torch says depends on where in the file the disk ends."""
    resource = pytest.importorskip("resource")
    state = {"state": {name: torch.zeros(40, 40) for name in "abc"}, "param_groups": [{"lr": 1.0}]}
    path = tmp_path / "optimizer.pt"
    torch.save(state, path)
    size, before = path.stat().st_size, resource.getrlimit(resource.RLIMIT_FSIZE)
    said = set()
    for limit in (0, 100, 1000, size // 2, *range(size - 1000, size, 50), size - 1):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            with pytest.raises(RuntimeError) as failure:
                torch.save(state, path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert is_disk_failure(failure.value), (limit, failure.value)
        said.add(str(failure.value)[:20])
    assert len(said) > 1


def test_a_folder_belongs_to_one_plan(
    make_model: Callable[..., Any], task: Vqa, records: list[Record], tmp_path: Path
) -> None:
    def trained_with(skipped: tuple[str, ...], tokens: TokenSchedule | None = None) -> TrainingLog:
        model = make_model(SkipConfig())
        plan = Plan("vilt", tuple(blocks_of(model)), skipped, tokens=tokens)
        return fit(model, Experiment(task, records[:8], training=TrainConfig(max_steps=1)), plan, tmp_path / "one")

    half = TokenSchedule(keep={"1": 0.5})
    first = trained_with(("1",), half)
    assert trained_with(("1",), half).history == first.history  # read, not trained again
    for skipped, tokens in ((("0",), half), (("1",), None), (("1",), TokenSchedule(keep={"1": 0.501}))):
        with pytest.raises(InputError, match=r"checkpoint-1: trained with another plan \(skipped: 1; tokens"):
            trained_with(skipped, tokens)
