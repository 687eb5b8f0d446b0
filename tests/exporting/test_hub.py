"""To and from the hub, the client's functions replaced: what they are asked for, and what their errors become."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError

from skiptune import InputError, RunError, SkipConfig, Vqa, export, load, load_task, predict, push_to_hub
from skiptune.exporting import hub
from skiptune.exporting.hub import ALLOWED, is_hub_id


@pytest.fixture
def folder(make_model: Any, task: Vqa, tmp_path: Path) -> Path:
    return export(make_model(SkipConfig(), noise=0.05), tmp_path / "slim", task=task)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Every call of the client, by name."""
    calls: list[tuple[str, dict[str, Any]]] = []

    class Api:
        def __init__(self, token: str | None = None) -> None:
            calls.append(("login", {"token": token}))

        def create_repo(self, repo_id: str, **options: Any) -> None:
            calls.append(("create", {"repo_id": repo_id, **options}))

        def upload_folder(self, **options: Any) -> SimpleNamespace:
            calls.append(("upload", options))
            return SimpleNamespace(commit_url="https://hub/user/name/commit/1")

    monkeypatch.setattr(hub, "HfApi", Api)
    return calls


def test_push(folder: Path, asked: list[tuple[str, dict[str, Any]]]) -> None:
    assert push_to_hub(folder, "user/name", private=True, token="secret") == "https://hub/user/name/commit/1"
    calls = dict(asked)
    assert calls["login"] == {"token": "secret"}
    assert calls["create"] == {"repo_id": "user/name", "repo_type": "model", "private": True, "exist_ok": True}
    assert (calls["upload"]["repo_id"], calls["upload"]["folder_path"]) == ("user/name", folder)
    assert all(any(file.match(pattern) for pattern in ALLOWED) for file in folder.iterdir()), "a file stays behind"
    assert calls["upload"]["allow_patterns"] == list(ALLOWED)


def test_what_cannot_be_pushed(folder: Path, make_model: Any, tmp_path: Path, asked: list[Any]) -> None:
    with pytest.raises(InputError, match="not the id of a repository"):
        push_to_hub(folder, "name")
    (tmp_path / "base").mkdir()
    beside = export(make_model(SkipConfig()), tmp_path / "beside", form="adapters", base=str(tmp_path / "base"))
    with pytest.raises(InputError, match="which others do not have"):
        push_to_hub(beside, "user/name")
    (folder / "slim.safetensors").unlink()
    with pytest.raises(InputError, match="not complete"):
        push_to_hub(folder, "user/name")
    with pytest.raises(InputError, match="no such file"):
        push_to_hub(tmp_path / "nowhere", "user/name")
    assert not asked


def test_a_refusal_is_told_in_a_sentence(folder: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("401 Client Error\nlong explanation")

    monkeypatch.setattr(hub.HfApi, "create_repo", refuse)
    with pytest.raises(RunError, match=r"^user/name: could not be uploaded \(401 Client Error\); logged in") as found:
        push_to_hub(folder, "user/name")
    assert "explanation" not in str(found.value)


def test_loaded_by_id(folder: Path, tmp_path: Path, batch, data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load(folder)(**batch).logits
    cache = shutil.move(folder, tmp_path / "cache")
    asked: list[tuple[str, list[str]]] = []

    def snapshot(repo_id: str, allow_patterns: list[str]) -> str:
        asked.append((repo_id, allow_patterns))
        return str(cache)

    monkeypatch.setattr(hub, "snapshot_download", snapshot)
    model = load("user/name")
    assert torch.equal(model(**batch).logits, expected)
    assert predict(model, load_task("user/name", model), data_folder / "images" / "0.png", "colour?")
    assert asked == [("user/name", list(ALLOWED))] * 2
    assert not any(pattern.endswith((".py", ".bin", "*")) for pattern in ALLOWED)


def test_a_directory_comes_before_the_hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "user").mkdir()
    shutil.move(folder, tmp_path / "user" / "name")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hub, "snapshot_download", None)
    load("user/name")


def test_without_a_network_the_cache_is_asked() -> None:
    with pytest.raises(InputError, match="user/not-here: no such directory; not in the hub's cache"):
        load("user/not-here")


def test_other_errors_are_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    for error, said in (
        (OSError("disk full\nmore"), "the hub says: disk full$"),
        (LocalEntryNotFoundError("x"), "cache"),
    ):

        def fail(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(hub, "snapshot_download", fail)
        with pytest.raises(InputError, match=said):
            load("user/name")


@pytest.mark.parametrize("name", ["slim", "a/b/c", "./slim", "../slim", "/slim", "~/slim", "user/na me", ""])
def test_paths_are_no_ids(name: str) -> None:
    assert not is_hub_id(name)
    with pytest.raises(InputError, match="no such file"):
        load(name or "nowhere")
