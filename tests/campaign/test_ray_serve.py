"""``skiptune serve`` as a user starts it: it gets ready, answers, and ends when it is told to, after its answers."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from campaign_form import LONG
from conftest import MakeModel
from skiptune import SkipConfig, Vqa, pipeline
from tiny_service import in_base64, save_slim

pytestmark = [
    pytest.mark.skipif(not LONG, reason="part of the long form of the campaign"),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGTERM"),
]
pytest.importorskip("ray", reason="the extra ray is not installed")
_START = 240


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def slim(make_model: MakeModel, task: Vqa, tmp_path: Path) -> Path:
    return save_slim(tmp_path / "kitchen", make_model(SkipConfig(), noise=0.1), task)


@pytest.fixture
def service(slim: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and its address."""
    port = free_port()
    command = [sys.executable, "-m", "skiptune.cli", "serve", str(slim), "--port", str(port), "--seconds", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            printed = []
            for line in process.stdout:
                printed.append(line)
                if line.startswith("ready"):
                    break
            assert printed[-1:][0].startswith("ready"), "".join(printed)
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def answer(address: str, picture: Path) -> Any:
    asked = {"image": in_base64(picture), "text": "colour?", "top": 2}
    kind = {"Content-Type": "application/json"}
    with urlopen(Request(f"{address}/v1/models/kitchen/ask", json.dumps(asked).encode(), kind), timeout=60) as found:
        return json.load(found)["predictions"][0]["answers"]


@pytest.mark.timeout(2 * _START)
def test_it_answers_and_stops(service: tuple[subprocess.Popen[str], str], slim: Path, data_folder: Path) -> None:
    process, address = service
    pictures = [data_folder / "images" / f"{number}.png" for number in range(8)]
    with urlopen(f"{address}/readyz", timeout=60) as ready:
        assert ready.status == 200
    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(answer, address, picture) for picture in pictures]
        time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        found = [each.result() for each in waiting]
    alone = pipeline(slim)
    for picture, answers in zip(pictures, found, strict=True):
        wanted = alone(picture, "colour?", top=2)
        assert [each["answer"] for each in answers] == [each.answer for each in wanted]
        chances = [each["probability"] for each in answers]
        assert chances == pytest.approx([each.probability for each in wanted], abs=1e-5)
    assert process.wait(_START) == 0
    with pytest.raises(OSError, match="refused"):
        urlopen(f"{address}/readyz", timeout=5)
