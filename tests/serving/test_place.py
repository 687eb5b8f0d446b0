"""Where a service may run is told before anything is started."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from conftest import Call, MakeModel
from skiptune import SkipConfig, Vqa
from skiptune.core.errors import RunError
from skiptune.serving.deployment import Place, _start_ray
from skiptune.serving.ray_settings import is_direct, settings_of
from tiny_service import save_slim


def test_a_port_that_is_taken(call: Call, make_model: MakeModel, task: Vqa, tmp_path: Path) -> None:
    slim = save_slim(tmp_path / "kitchen", make_model(SkipConfig(), noise=0.1), task)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, out, err = call("serve", slim, "--port", str(port))
    assert (code, out) == (2, "")
    assert f"--host 127.0.0.1 --port {port}: cannot listen there" in err


def test_models_and_limits_are_checked_first(call: Call) -> None:
    code, _, err = call("serve", "nowhere", "--queue", "0")
    assert code == 2
    assert "queue: 0 is not a whole number of at least 1" in err
    code, _, err = call("serve", "nowhere")
    assert code == 2
    assert "nowhere: not a slim model" in err


def test_only_one_replica_on_this_machine_listens_itself() -> None:
    assert is_direct(Place())
    assert not is_direct(Place(replicas=2))
    assert not is_direct(Place(address="auto"))
    assert settings_of(Place(port=9000))["RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT"] == "9000"
    assert set(settings_of(Place(address="auto"))) < set(settings_of(Place(replicas=2))) < set(settings_of(Place()))


@pytest.mark.parametrize(("address", "starts"), [(None, 3), ("127.0.0.1:1", 1)])
def test_ray_is_started_again_where_a_busy_machine_was_too_slow(
    monkeypatch: pytest.MonkeyPatch, address: str | None, starts: int
) -> None:
    ray = pytest.importorskip("ray", reason="the extra ray is not installed")
    tried: list[str] = []

    def slow(address: str, **settings: Any) -> None:
        tried.append(address)
        if len(tried) == starts:
            return
        raise RuntimeError("the node timed out")

    monkeypatch.setattr(ray, "init", slow)
    _start_ray(Place(address=address))
    assert len(tried) == starts
    starts += 4
    with pytest.raises(RunError, match=r"Ray cannot start, .*: the node timed out"):
        _start_ray(Place(address=address))
