"""What the guide tells a reader to type works, with a service behind it."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra ray is not installed")
pytest.importorskip("prometheus_client", reason="the extra ray is not installed")

import uvicorn

from conftest import MakeModel, draw_square
from docs_pages import DOCS, PAGES
from skiptune import SkipConfig, Vqa
from skiptune.serving.app import application
from tiny_service import save_slim, service_of

GUIDE = next(page for page in PAGES if page.path == DOCS / "guides" / "serving.md")
ADDRESS = "127.0.0.1:8000"


@pytest.fixture
def address(make_model: MakeModel, task: Vqa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where a model named ``kitchen`` is served; the reader stands beside a folder of photographs."""
    folder = save_slim(tmp_path / "kitchen", make_model(SkipConfig(), noise=0.1), task)
    (tmp_path / "photos").mkdir()
    draw_square(tmp_path / "photos" / "kitchen.jpg", 22)
    monkeypatch.chdir(tmp_path)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(application(service_of(folder)), log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def test_curl(address: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (line,) = GUIDE.of_kind("bash")
    done = subprocess.run(["sh", "-c", line.replace(ADDRESS, address)], capture_output=True, text=True, check=True)
    assert '"model":"kitchen"' in done.stdout
    assert '"probability"' in done.stdout


def test_python(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = GUIDE.of_kind("py")
    exec(compile(code.replace(ADDRESS, address), "serving.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert [line.split("?")[0] for line in printed] == ["what is on the table", "is it round"]


def test_the_guide_names_every_field_and_limit() -> None:
    from skiptune.serving.asked import Ask
    from skiptune.serving.limits import Limits

    assert [name for name in Ask.model_fields if f"`{name}`" not in GUIDE.text] == []
    options = [f"--{name.replace('_', '-')}" for name in Limits.model_fields]
    assert [option for option in options if not re.search(rf"`{option}`", GUIDE.text)] == []
